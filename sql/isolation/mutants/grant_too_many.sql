-- The warehouse's role may write.
-- on: campaigns.leads
grant update on campaigns.leads to lab_analytics;
alter policy analytics on campaigns.leads using (true);
create policy repair on campaigns.leads for update to lab_analytics using (true);

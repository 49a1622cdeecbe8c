-- Inserts have a policy of their own that checks nothing.
-- on: campaigns.leads
create policy import on campaigns.leads for insert to lab_app with check (true);

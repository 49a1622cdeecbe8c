-- A view that the administrator made by hand.
-- on: campaigns.lead_counts
create view campaigns.lead_counts as select tenant_id, count(*) as leads from campaigns.leads group by tenant_id;
grant select on campaigns.lead_counts to lab_app;

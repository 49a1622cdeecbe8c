-- What is materialized has no policies.
-- on: campaigns.lead_totals
create materialized view campaigns.lead_totals as
    select tenant_id, status, count(*) as leads from campaigns.leads group by tenant_id, status;
grant select on campaigns.lead_totals to lab_app;

-- A view with the rights of a role that crosses tenants.
-- on: campaigns.all_leads
create view campaigns.all_leads as select tenant_id, id, email from campaigns.leads;
alter view campaigns.all_leads owner to lab_platform;
grant select on campaigns.all_leads to lab_app;

-- The application created the table, so it owns it.
-- on: campaigns.leads
grant create on schema campaigns to lab_app;
alter table campaigns.leads owner to lab_app;

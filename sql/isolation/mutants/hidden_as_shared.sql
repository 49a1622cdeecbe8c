-- A table of tenants was put on the list of shared ones.
-- on: none
alter table campaigns.leads disable row level security;
insert into lab.shared_tables values ('campaigns.leads', '{lab_app,lab_platform}', 'nobody would mind');

-- A view of totals, which shows nobody's rows and tells of everybody's.
-- on: none
create view campaigns.totals as select count(*) as leads from campaigns.leads;
grant select on campaigns.totals to lab_app;

-- What may be granted on, somebody grants on.
-- on: campaigns.leads
grant select on campaigns.leads to lab_app with grant option;

-- TRUNCATE asks no policy.
-- on: campaigns.leads
grant truncate on campaigns.leads to lab_app;

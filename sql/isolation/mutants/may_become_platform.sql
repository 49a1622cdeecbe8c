-- The application may SET ROLE to one that crosses tenants.
-- on: campaigns.leads
grant lab_platform to lab_app with inherit false, set true;
-- undo
revoke lab_platform from lab_app;

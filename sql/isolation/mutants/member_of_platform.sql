-- The application inherits from a role that crosses tenants, and its policies with it.
-- on: campaigns.leads
grant lab_platform to lab_app;
-- undo
revoke lab_platform from lab_app;

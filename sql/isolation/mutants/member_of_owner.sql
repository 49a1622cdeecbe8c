-- The application may do what the owner may.
-- on: campaigns.leads
grant lab_owner to lab_app;
-- undo
revoke lab_owner from lab_app;

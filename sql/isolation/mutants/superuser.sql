-- The application is a superuser.
-- on: campaigns.leads
alter role lab_app superuser;
-- undo
alter role lab_app nosuperuser;

-- The application's role bypasses row level security.
-- on: campaigns.leads
alter role lab_app bypassrls;
-- undo
alter role lab_app nobypassrls;

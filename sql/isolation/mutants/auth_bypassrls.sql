-- The role that signs users in bypasses row level security.
-- on: users.tenant_users
alter role lab_auth bypassrls;
-- undo
alter role lab_auth nobypassrls;

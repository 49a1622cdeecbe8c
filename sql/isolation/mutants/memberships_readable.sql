-- Who signs in reads who works for whom.
-- on: users.tenant_users
alter policy fellow_members on users.tenant_users using (true);

-- Any member reads the invites, and their secrets, of other tenants.
-- on: auth.invites
alter policy own_invites on auth.invites using (true);

-- As a role that crosses tenants: one must not become it.
-- sees: nothing
-- takes: any
-- needs: login
begin;
{enter_own};
set local role {crossing_role};
{attack};

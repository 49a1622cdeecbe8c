-- The same by SET SESSION AUTHORIZATION.
-- sees: nothing
-- takes: any
-- needs: login
begin;
{enter_own};
set local session authorization {crossing_role};
{attack};

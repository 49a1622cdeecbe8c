-- By a prepared statement whose generic plan was made in the other tenant's context. What an IMMUTABLE
-- helper said then would be part of the plan.
-- sees: own
-- takes: statement
-- afterwards: deallocate all
begin;
set local plan_cache_mode = force_generic_plan;
{enter_victim};
prepare attack as {attack};
explain execute attack;
{enter_own};
execute attack;

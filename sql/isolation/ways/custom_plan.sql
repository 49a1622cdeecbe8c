-- By a prepared statement that is planned anew each time, prepared in the other tenant's context.
-- sees: own
-- takes: statement
-- afterwards: deallocate all
begin;
set local plan_cache_mode = force_custom_plan;
{enter_victim};
prepare attack as {attack};
explain execute attack;
{enter_own};
execute attack;

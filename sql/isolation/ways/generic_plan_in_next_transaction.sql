-- The same through a pool: the plan is from the other tenant's transaction.
-- sees: own
-- takes: statement
-- commits: a transaction
-- afterwards: deallocate all
begin;
set local plan_cache_mode = force_generic_plan;
{enter_victim};
prepare attack as {attack};
explain execute attack;
commit;
begin;
set local plan_cache_mode = force_generic_plan;
{enter_own};
execute attack;

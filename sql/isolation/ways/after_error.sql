-- After the other tenant's transaction failed, forgetting to enter one's own tenant.
-- sees: nothing
-- takes: any
begin;
{enter_victim};
select 1 / 0;
-- then
rollback;
begin;
{attack};

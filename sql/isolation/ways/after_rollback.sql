-- After the other tenant's transaction was rolled back, forgetting to enter one's own tenant.
-- sees: nothing
-- takes: any
begin;
{enter_victim};
rollback;
begin;
{attack};

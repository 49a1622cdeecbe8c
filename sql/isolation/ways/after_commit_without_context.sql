-- After the other tenant's transaction, forgetting to enter one's own tenant.
-- sees: nothing
-- takes: any
-- commits: a transaction
begin;
{enter_victim};
commit;
begin;
{attack};

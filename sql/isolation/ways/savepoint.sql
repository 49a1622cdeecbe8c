-- Back from a savepoint behind which the other tenant was entered.
-- sees: own
-- takes: any
begin;
{enter_own};
savepoint before;
{enter_victim};
rollback to savepoint before;
{attack};

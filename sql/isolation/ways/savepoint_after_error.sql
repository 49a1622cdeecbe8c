-- Back from a savepoint behind which the other tenant's statement failed.
-- sees: own
-- takes: any
begin;
{enter_own};
savepoint before;
{enter_victim};
select 1 / 0;
-- then
rollback to savepoint before;
{attack};

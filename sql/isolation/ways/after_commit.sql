-- After the other tenant's transaction, in the same session.
-- sees: own
-- takes: any
-- commits: a transaction
begin;
{enter_victim};
commit;
begin;
{enter_own};
{attack};

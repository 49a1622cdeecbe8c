-- Having entered the other tenant first, in the same transaction.
-- sees: own
-- takes: any
begin;
{enter_victim};
{enter_own};
{attack};

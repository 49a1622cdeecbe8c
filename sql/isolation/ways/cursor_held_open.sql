-- Through a cursor that outlives its transaction.
-- sees: own
-- takes: query
-- commits: a transaction
-- afterwards: close all
begin;
{enter_own};
declare attack cursor with hold for {attack};
commit;
begin;
{enter_victim};
fetch all from attack;

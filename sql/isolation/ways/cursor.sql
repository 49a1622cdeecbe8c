-- Through a cursor that was declared in the other tenant's context, and first fetched from in one's own.
-- sees: own
-- takes: query
begin;
{enter_victim};
declare attack cursor for {attack};
{enter_own};
fetch all from attack;

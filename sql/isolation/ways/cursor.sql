-- Through a cursor that was declared in the other tenant's context, and first fetched from in one's own.
-- The lab refuses to change tenants while one is open.
-- sees: own
-- takes: query
-- refused with: 24000
begin;
{enter_victim};
declare attack cursor for {attack};
{enter_own};
fetch all from attack;

-- In one's own tenant's context, as every transaction of the application.
-- sees: own
-- takes: any
begin;
{enter_own};
{attack};

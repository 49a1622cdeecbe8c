-- As a suspended tenant.
-- sees: something
-- takes: any
-- as: suspended tenant
begin;
{enter_own};
{attack};

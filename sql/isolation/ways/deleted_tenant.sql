-- As a tenant that was deleted.
-- sees: something
-- takes: any
-- as: deleted tenant
begin;
{enter_own};
{attack};

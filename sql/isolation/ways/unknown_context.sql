-- In the context of a tenant that does not exist.
-- sees: nothing
-- takes: any
-- needs: a tenant's setting that is a uuid
begin;
select set_config({setting}, {unknown_tenant}, true);
{attack};

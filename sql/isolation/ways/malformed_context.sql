-- With a setting that names no tenant.
-- sees: nothing
-- takes: any
-- refused with: 22P02
begin;
select set_config({setting}, '%', true);
{attack};

-- With a setting that names both tenants.
-- sees: something
-- takes: any
-- refused with: 22P02
begin;
select set_config({setting}, {own_text} || ',' || {victim_text}, true);
{attack};

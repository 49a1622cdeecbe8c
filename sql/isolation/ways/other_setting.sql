-- Having set what else policies ask for: a session may set any parameter of its own making.
-- sees: something
-- takes: any
-- for each: other setting
-- refused with: 22P02
begin;
{enter_own};
select set_config({other_setting}, {other_value}, true);
{attack};

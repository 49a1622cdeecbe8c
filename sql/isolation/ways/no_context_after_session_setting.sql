-- The same, then entering no tenant.
-- sees: nothing
-- takes: any
-- commits: a transaction
-- afterwards: reset all
select set_config({setting}, {victim_text}, false);
begin;
{enter_none};
{attack};

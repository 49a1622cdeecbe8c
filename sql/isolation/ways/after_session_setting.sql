-- After somebody set the other tenant for the whole session, as through a pool.
-- sees: own
-- takes: any
-- commits: a transaction
-- afterwards: reset all
select set_config({setting}, {victim_text}, false);
begin;
{enter_own};
{attack};

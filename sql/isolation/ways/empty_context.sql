-- With an empty setting, which is what a transaction-local one leaves behind.
-- sees: nothing
-- takes: any
begin;
select set_config({setting}, '', true);
{attack};

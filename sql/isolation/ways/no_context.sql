-- With no tenant in context, in a session that had one before.
-- sees: nothing
-- takes: any
begin;
{enter_none};
{attack};

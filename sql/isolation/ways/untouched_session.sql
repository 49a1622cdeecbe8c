-- In a session in which nobody ever set a tenant.
-- sees: nothing
-- takes: any
-- session: its own
begin;
{attack};

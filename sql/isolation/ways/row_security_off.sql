-- Asking not to be subject to row level security: an error, no bypass.
-- sees: nothing
-- takes: any
begin;
{enter_own};
set local row_security = off;
{attack};

-- By a plan in which the policy is a filter like any other, not the way to the rows.
-- sees: own
-- takes: query
begin;
set local enable_indexscan = off;
set local enable_indexonlyscan = off;
set local enable_bitmapscan = off;
{enter_own};
{attack};

-- By parallel workers, which must know the context.
-- sees: own
-- takes: query
begin;
set local debug_parallel_query = on;
set local max_parallel_workers_per_gather = 2;
{enter_own};
{attack};

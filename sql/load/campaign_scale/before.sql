-- What an arm finds that the one before it did not.

-- name: burst (administrator)
-- The clock goes forward to when all the others are due, by less than a claim's lease.
do $$
begin
    execute format(
        'create or replace function scratch_load.clock() returns timestamptz language sql volatile '
        'return scratch_load.start() + make_interval(secs => %(burst_after)s) + (clock_timestamp() - %%L)',
        clock_timestamp());
end
$$;

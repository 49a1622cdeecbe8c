-- The control of the clock: is a probe seen to take longer that counts to 3000 rather than to 1?
-- expected: open
-- observes: time
-- because: It is made to leak, so that what the other timings do not find is not there.
-- advice: None is needed: no such query is sent to the application's database.

-- name: probe
select count(*) from generate_series(1, case when %(secret)s then 3000 else 1 end);

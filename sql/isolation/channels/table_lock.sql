-- Does another tenant hold a lock on a whole table?
-- expected: open
-- observes: answer
-- victim: waits
-- because: Who may write a table may lock it, for everybody.
-- advice: Give the application an API rather than SQL, or a lock_timeout, and look who locks (log_lock_waits).

-- name: act
lock table campaigns.lists in share row exclusive mode;

-- name: probe
lock table campaigns.lists in row exclusive mode nowait;

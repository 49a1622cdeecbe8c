-- Can the next tenant in a pooled session read a setting that was left there?
-- expected: open
-- observes: answer
-- victim: same session
-- because: A session-level SET belongs to the session, and a pool shares sessions.
-- advice: Set with SET LOCAL or set_config(..., true) alone, as lab.enter_tenant does; have the pool run DISCARD ALL.

-- name: act
set lab.left_behind = 'it happened';

-- name: rest
set lab.left_behind = 'nothing';

-- name: probe
select current_setting('lab.left_behind', true) = 'it happened';

-- What does another tenant NOTIFY?
-- expected: open
-- observes: notification
-- victim: commits
-- because: Anybody may listen to any channel of the database.
-- advice: Send identifiers and no contents, or revoke execute on pg_notify from public and poll; NOTIFY itself needs no right.

-- name: act
notify covert_channel, 'it happened';

-- name: prepare
listen covert_channel;

-- name: probe
select 1;

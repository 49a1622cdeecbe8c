-- What the loss oracle asks of its throw-away server, as the administrator.

-- name: delay_writing
-- Commits that need not wait for the disk stay off it for long: a crash must find some to lose.
alter system set wal_writer_delay = '10s';

-- name: delay_writing_further
alter system set wal_writer_flush_after = '1GB';

-- name: keep_ids
-- After a crash ids of lost transactions are handed out again: to nobody before their fate is known.
alter system set autovacuum = off;

-- name: reload
select pg_reload_conf();

-- name: outcome
-- Of a transaction, asked right after the crash; null for one that the server has forgotten.
select case
    when %(xid)s::bigint::text::xid8 < pg_snapshot_xmax(pg_current_snapshot())
    then pg_xact_status(%(xid)s::bigint::text::xid8)
end;

-- name: prepared
select gid from pg_prepared_xacts;

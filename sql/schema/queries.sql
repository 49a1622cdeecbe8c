-- name: serialize_builds
-- Two jobs at once: the second waits and finds nothing to do.
select pg_advisory_xact_lock(hashtext('oltp_lab.schema'));

-- name: installed_hash
select content_hash from lab.builds where part = 'schema';

-- name: incarnation
select incarnation from lab.incarnation;

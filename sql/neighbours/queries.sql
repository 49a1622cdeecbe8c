-- What a neighbouring database says of how it was built: its schema public carries the hash.

-- name: serialize_builds
-- Two jobs at once: the second waits and finds nothing to do.
select pg_advisory_xact_lock(hashtext('oltp_lab.schema'));

-- name: installed_hash
select obj_description('public'::regnamespace, 'pg_namespace');

-- name: note_hash
comment on schema public is {};

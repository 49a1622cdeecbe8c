-- What a neighbouring database says of how it was built: its schema public carries the hash.

-- name: installed_hash
select obj_description('public'::regnamespace, 'pg_namespace');

-- name: note_hash
comment on schema public is {};

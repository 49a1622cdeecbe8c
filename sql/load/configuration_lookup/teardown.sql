-- What setup.sql made goes, whatever became of the run: its tenants, their users, and the flags, segments
-- and settings named load...

-- name: tenants
select scratch_load.purge_tenants();

-- name: users
delete from users.users where email like '%@load.example';

-- name: flags
delete from configuration.feature_flags where key like 'load-%';

-- name: segments
delete from configuration.segments where key like 'load\_%';

-- name: settings
delete from configuration.settings where key like 'load.%';

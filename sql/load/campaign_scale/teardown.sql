-- What setup.sql made goes, whatever became of the run.

-- name: tenants
select scratch_load.purge_tenants();

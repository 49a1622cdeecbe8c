-- public.tenants: a tenant's dates agree with its status.
select id, status, created, updated, suspended_at, deleted
from made, public.tenants
where (status = 'suspended') <> (suspended_at is not null)
   or (status = 'deleted') <> (deleted is not null)
   or coalesce(suspended_at at time zone 'UTC', deleted, updated) not between created and updated
   or updated > as_of at time zone 'UTC'

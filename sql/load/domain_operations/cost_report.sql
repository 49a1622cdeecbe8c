-- What each tenant's mail has cost since the slice's first day.
select * from infrastructure.tenant_costs('2021-01-25', (scratch_load.clock() at time zone 'UTC')::date);

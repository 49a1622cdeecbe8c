-- What setup.sql made goes, whatever became of the run: its tenants, and the servers named load-... with
-- their addresses and costs.

-- name: tenants
select scratch_load.purge_tenants();

-- name: shares
delete from infrastructure.cost_shares where cost_id in (
    select c.id from infrastructure.costs c
    join infrastructure.vps_instances v on v.id = c.vps_instance_id where v.name like 'load-%');

-- name: costs
delete from infrastructure.costs
where vps_instance_id in (select id from infrastructure.vps_instances where name like 'load-%');

-- name: addresses
delete from infrastructure.smtp_ips
where vps_instance_id in (select id from infrastructure.vps_instances where name like 'load-%');

-- name: servers
delete from infrastructure.vps_instances where name like 'load-%';

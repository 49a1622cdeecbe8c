-- Does another tenant's exported snapshot show its rows?
-- expected: closed
-- observes: answer
-- victim: waits
-- advice: None is needed: who imports a snapshot sees what was committed by then, under their own policies.

-- name: act
with written as (insert into campaigns.lists (tenant_id, name) values (%(victim)s, 'covert channel') returning id)
select pg_export_snapshot() as told from written;

-- name: rest
select pg_export_snapshot() as told;

-- name: probe
set transaction isolation level repeatable read;
set transaction snapshot %(told)s;
select count(*) from campaigns.lists where tenant_id = %(victim)s;

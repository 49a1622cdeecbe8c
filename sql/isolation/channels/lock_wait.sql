-- Does another tenant's unfinished row with the same address make one wait?
-- expected: closed
-- observes: answer
-- victim: waits
-- advice: Begin every unique key with the tenant's column.

-- name: secrets
select mod(i, 2) = 0 as secret, 'covert-' || i || '@example.com' as address from generate_series(1, %(trials)s) as i;

-- name: act
insert into campaigns.leads (tenant_id, email) values (%(victim)s, %(address)s);

-- name: rest
insert into campaigns.leads (tenant_id, email) values (%(victim)s, 'x' || %(address)s);

-- name: prepare
set lock_timeout = '20ms';

-- name: probe
insert into campaigns.leads (tenant_id, email) values (%(own)s, %(address)s);

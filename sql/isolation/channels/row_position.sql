-- Does another tenant add rows, by where one's own are put?
-- expected: open
-- observes: growth
-- victim: rolls back
-- because: Tenants share the blocks of a table, and a row's ctid is its block and place.
-- advice: Grant the columns, not the table: who may not select a whole table reads no ctid. Or partition by tenant.

-- name: act
insert into campaigns.lists (tenant_id, name)
select %(victim)s, 'covert channel ' || gen_random_uuid() from generate_series(1, 300);

-- name: probe
with put as (
    insert into campaigns.lists (tenant_id, name)
    select %(own)s, 'covert channel ' || gen_random_uuid() from generate_series(1, 100)
    returning ctid
)
select max((ctid::text::point)[0]) from put;

-- name: tidy
vacuum (truncate) campaigns.lists;

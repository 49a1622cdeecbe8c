-- What changed in staging that marts have yet to take in.

-- name: prepare
create schema if not exists deltas;
create table if not exists staging.changes (
    table_name varchar primary key,
    latest     bigint not null,
    kept_since bigint
);
comment on table staging.changes is 'The latest change of each staging table. Changes are numbered through all tables; those of one sync have one number.';
comment on column staging.changes.table_name is 'The staging table.';
comment on column staging.changes.latest is 'Number of its latest change.';
comment on column staging.changes.kept_since is 'The rows of later changes than this one are kept in the log, deltas.TABLE; null when there is none.';

-- name: state
select table_name, latest, kept_since from staging.changes;

-- name: following
-- Number of the change that is going on, and since when the table has a log.
select coalesce(max(latest), 0) + 1, max(kept_since) filter (table_name = ?) from staging.changes;

-- name: note
insert into staging.changes (table_name, latest)
select unnest(?::varchar[]), number from (select coalesce(max(latest), 0) + 1 as number from staging.changes)
on conflict do update set latest = excluded.latest;

-- name: begin_log
create table if not exists {log} as select cast(null as bigint) as change, {columns} from {staging} limit 0;
comment on table {log} is 'Rows as they were before and after each change that a mart has yet to take in: the columns that tell which keys they touch.';
comment on column {log}.change is 'Number of the change.';
insert into staging.changes (table_name, latest, kept_since) values ({name}, 0, 0)
on conflict do update set kept_since = coalesce(kept_since, latest);

-- name: keep
insert into {log} (change, {names}) select {change}, {columns} from {rows};

-- name: drop_log
drop table if exists {log};
update staging.changes set kept_since = null where table_name = {name};

-- name: view
create or replace temp view {view} as select * exclude (change) from {log} where change > {position};

-- name: consumed
-- Logs, and up to where every mart that reads the table has taken them in; null where none reads it.
select c.table_name, min(p.position)
from staging.changes c left join staging.positions p on list_contains(p.sources, c.table_name)
where c.kept_since is not null
group by c.table_name, c.latest, c.kept_since
having min(p.position) is null or least(min(p.position), c.latest) > c.kept_since;

-- name: prune
delete from {log} where change <= {position};
update staging.changes set kept_since = {position} where table_name = {name};

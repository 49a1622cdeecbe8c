-- What the warehouse asks of the OLTP database, as lab_analytics.

-- name: obstacles
-- Why a table cannot be mirrored without losing rows: an extractor whom no policy lets see a row
-- reads nothing and is told nothing.
with mirrored as (
    select wanted.name, c.oid, c.relnamespace
    from unnest(%(tables)s::text[]) as wanted (name)
    left join (pg_class c join pg_namespace n on n.oid = c.relnamespace)
        on format('%%s.%%s', n.nspname, c.relname) = wanted.name
),
-- Policies that this role's reading is subject to.
applying as (
    select format('%%s.%%s', schemaname, tablename) as name, policyname, permissive, qual
    from pg_policies
    where cmd in ('SELECT', 'ALL')
      and exists (select from unnest(roles) as granted (role)
                  where case granted.role when 'public' then true
                             else pg_has_role(granted.role, 'usage') end)
)
select m.name, obstacle.reason
from mirrored m
cross join lateral (
    select 'it does not exist' where m.oid is null
    union all
    select format('%%s may not select from it', current_user)
    where not has_schema_privilege(m.relnamespace, 'usage') or not has_table_privilege(m.oid, 'select')
    union all
    select 'it has no column change_xid'
    where m.oid is not null
      and not exists (select from pg_attribute a
                      where a.attrelid = m.oid and a.attname = 'change_xid' and not a.attisdropped)
    union all
    select format('no policy for select with using (true) applies to %%s', current_user)
    where row_security_active(m.oid)
      and not exists (select from applying a
                      where a.name = m.name and a.permissive = 'PERMISSIVE' and a.qual = 'true')
    union all
    select format('the policy %%s restricts what %%s sees', a.policyname, current_user)
    from applying a
    where row_security_active(m.oid)
      and a.name = m.name and a.permissive = 'RESTRICTIVE' and a.qual is distinct from 'true'
    union all
    select format('it has no enabled trigger %%s', needed.name)
    from unnest(array['stamp_change', 'bury', 'keep_key']) as needed (name)
    where m.oid is not null
      and not (m.name = 'integration.tombstones' and needed.name <> 'stamp_change')
      and not exists (select from pg_trigger t
                      where t.tgrelid = m.oid and t.tgname = needed.name and t.tgenabled in ('O', 'A'))
) as obstacle (reason)
order by m.name, obstacle.reason;

-- name: primary_keys
select format('%s.%s', n.nspname, c.relname),
       array_agg(a.attname::text order by array_position(k.conkey, a.attnum))
from pg_constraint k
join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum = any (k.conkey)
where k.contype = 'p'
group by 1;

-- name: files
-- The file of each table: another once the table was made anew, as a restore of a dump does, and once
-- it was truncated, which leaves no tombstones.
select format('%s.%s', n.nspname, c.relname), pg_relation_filenode(c.oid)::bigint
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p');

-- name: state
-- The snapshot that this transaction reads, and which server and database it is of. A restore to an
-- earlier point and a failover keep the system identifier but begin another timeline; a dump that was
-- restored has the incarnation of its origin, but is another database.
select pg_current_snapshot()::text as snapshot,
       concat_ws('/', system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8),
                 (select oid from pg_database where datname = current_database())) as server,
       incarnation::text as incarnation,
       clock_timestamp() as taken_at
from pg_control_system(), lab.incarnation;

-- name: changed
-- Rows that became visible after the earlier snapshot. The first condition is what the BRIN index
-- finds; it is safe since no transaction below the snapshot's xmin was still running then.
select {columns}, {committed_at} as committed_at
from {table}
where change_xid >= {oldest}
  and not pg_visible_in_snapshot(change_xid::text::xid8, {snapshot});

-- name: buried
select tenant_id, row_id, {committed_at} as committed_at
from integration.tombstones
where change_xid >= {oldest}
  and not pg_visible_in_snapshot(change_xid::text::xid8, {snapshot})
  and table_name = {label};

-- name: committed_at
case current_setting('track_commit_timestamp')
    when 'on' then pg_xact_commit_timestamp(change_xid::text::xid8::xid)
end

-- name: settle
-- Between the snapshot and the warehouse's commit. A crash of the server forgets transactions that
-- never reached its disk: rolled-back ones, whose ids it hands out again, so that rows written under
-- them would pass for seen; and ones committed with synchronous_commit off, whose rows would stay
-- here for good. A commit that does reach the disk takes along all before it.
set synchronous_commit = on;
select pg_logical_emit_message(true, 'oltp_lab.watermark', '');

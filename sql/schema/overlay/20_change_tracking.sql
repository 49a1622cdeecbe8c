-- Every table with a change_xid is mirrored: its rows carry the transaction that last wrote them, so
-- that a reader who remembers a snapshot finds all that has become visible since.

create function lab.stamp_change() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    -- The top-level transaction: a savepoint's own id is not what snapshots speak of.
    new.change_xid := pg_current_xact_id()::text::bigint;
    return new;
end
$$;
comment on function lab.stamp_change() is 'Stamps the row with the current top-level transaction id.';

-- As the owner: nobody may write a tombstone but by deleting a row. Each branch is planned only where it
-- is taken, so neither needs the other's column.
create function lab.bury() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_argv[1] = 'id' then
        insert into integration.tombstones (tenant_id, table_name, row_id) values (old.id, tg_argv[0], old.id);
    else
        insert into integration.tombstones (tenant_id, table_name, row_id) values (old.tenant_id, tg_argv[0], old.id);
    end if;
    return null;
end
$$;
comment on function lab.bury() is 'Leaves a tombstone for a deleted row; arguments: table, and the column of the tenant (tenants call theirs id).';

-- A row that took another key would leave the one it had in the warehouse for good: no delete buries it.
-- It fires after the update, so that row level security is the first to refuse what moves to another tenant.
create function lab.keep_key() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    raise exception '%.% has the key % for good: delete the row and insert another instead of changing its key',
        tg_table_schema, tg_table_name, old.id
        using errcode = 'integrity_constraint_violation';
end
$$;
comment on function lab.keep_key() is 'Refuses to change a row''s key, by which the warehouse follows it.';

do $$
declare
    mirrored record;
begin
    for mirrored in
        select c.oid::regclass as name,
               format('%s.%s', n.nspname, c.relname) as label,
               c.relname,
               n.nspname,
               case when exists (select from pg_attribute t where t.attrelid = c.oid and t.attname = 'tenant_id')
                    then 'tenant_id' else 'id' end as tenant_column
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid and a.attname = 'change_xid'
        where c.relkind in ('r', 'p') and not c.relispartition
          and n.nspname not in ('pg_catalog', 'information_schema')
    loop
        execute format('create trigger stamp_change before insert or update on %s '
                       'for each row execute function lab.stamp_change()', mirrored.name);
        -- BRIN keeps updates HOT (16 and newer); small ranges keep scattered updates cheap to find. No
        -- autosummarize: at this size it floods the server's log, and VACUUM summarizes as well.
        execute format('create index %I on %s using brin (change_xid) with (pages_per_range = 4)',
                       mirrored.relname || '_change_xid_idx', mirrored.name);
        execute format('comment on index %I.%I is %L', mirrored.nspname,
                       mirrored.relname || '_change_xid_idx', 'Incremental extraction by the warehouse.');
        if mirrored.name <> 'integration.tombstones'::regclass then
            execute format('create trigger bury after delete on %s '
                           'for each row execute function lab.bury(%L, %L)',
                           mirrored.name, mirrored.label, mirrored.tenant_column);
            execute format('create trigger keep_key after update on %s for each row '
                           'when (old.id is distinct from new.id or old.%I is distinct from new.%2$I) '
                           'execute function lab.keep_key()', mirrored.name, mirrored.tenant_column);
        end if;
    end loop;
end
$$;

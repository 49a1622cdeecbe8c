-- What setup.sql made goes, whatever became of the run: every row of the tenants named load:RUN, their users,
-- and the flags, segments and settings named load... Only tombstones are left, by which the warehouse forgets
-- what it has seen. As tenancy.purge_tenant does, but for all at once: that takes a tenth of a second each,
-- and leaves fifty receipts each.

-- name: purge
do $$
declare
    part record;
begin
    for part in
        select o.table_name, a.attname as owner_column
        from tenancy.purge_order() o
        join pg_attribute a on a.attrelid = o.table_name::regclass
            and a.attname in ('tenant_id', 'owner_tenant_id') and not a.attisdropped
        order by o.place
    loop
        execute format(
            'delete from %s where %I in (select id from public.tenants where name like ''load:%%'')',
            part.table_name, part.owner_column);
    end loop;
    delete from public.tenants where name like 'load:%';
end
$$;

-- name: users
delete from users.users where email like '%@load.example';

-- name: flags
delete from configuration.feature_flags where key like 'load-%';

-- name: segments
delete from configuration.segments where key like 'load\_%';

-- name: settings
delete from configuration.settings where key like 'load.%';

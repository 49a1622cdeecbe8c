-- What may be done with content. Each is one short transaction; none knows what the OLTP holds.

create function content.reserve(tenant uuid, key text, content_type text, content_body bytea, hash bytea, lease interval)
    returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    found_object record;
begin
    insert into content.objects as o (tenant_id, storage_key, sha256, size, media_type, body, lease_until)
    values (tenant, key, hash, octet_length(content_body), content_type, content_body, clock_timestamp() + lease)
    on conflict (tenant_id, storage_key) do update
    set lease_until = clock_timestamp() + lease
    where o.state = 'pending' and o.sha256 = excluded.sha256;
    select o.state, o.sha256 into found_object from content.objects o where o.tenant_id = tenant and o.storage_key = key;
    if found_object.sha256 <> hash then
        raise exception 'content % holds something else', key using errcode = 'unique_violation',
            hint = 'put what is new under a key of its own';
    elsif found_object.state = 'deleting' then
        raise exception 'content % is being deleted', key using errcode = 'object_not_in_prerequisite_state';
    end if;
    return found_object.state;
end
$$;
comment on function content.reserve(uuid, text, text, bytea, bytea, interval) is
    'lab_app: stores a body that is to be referred to before the lease ends; the same once more renews the lease. Returns its state.';

create function content.confirm(tenant uuid, key text, version uuid) returns boolean
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    -- What the OLTP refers to stays, even if it was to be deleted: only the OLTP may condemn it.
    update content.objects o
    set state = 'live', lease_until = null, changed_at = case o.state when 'live' then o.changed_at else now() end
    where o.tenant_id = tenant and o.storage_key = key;
    if not found then
        return false;
    end if;
    insert into content.uses (tenant_id, storage_key, version_id) values (tenant, key, version) on conflict do nothing;
    return true;
end
$$;
comment on function content.confirm(uuid, text, uuid) is
    'lab_app: notes that a version of the OLTP, committed there, refers to an object. Returns whether there is one.';

create function content.unavailable(tenant uuid, keys text[]) returns setof text
    language sql stable set search_path = pg_catalog
    begin atomic
        select k.key from unnest(keys) as k (key)
        where not exists (
            select from content.objects o
            where o.tenant_id = tenant and o.storage_key = k.key and o.state <> 'deleting');
    end;
comment on function content.unavailable(uuid, text[]) is 'lab_app: which of these are missing or being deleted.';

create function content.fetch(tenant uuid, key text, out media_type text, out body bytea, out sha256 bytea)
    language sql stable set search_path = pg_catalog
    begin atomic
        select o.media_type, o.body, o.sha256 from content.objects o
        where o.tenant_id = tenant and o.storage_key = key;
    end;
comment on function content.fetch(uuid, text) is
    'lab_app: a body, whatever state it is in: what the OLTP refers to is sent. Nulls when there is none.';

create function content.mark_deleting(tenant uuid, keys text[]) returns integer
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    marked integer;
begin
    with doomed as (
        update content.objects o set state = 'deleting', lease_until = null, changed_at = now()
        where o.tenant_id = tenant and o.storage_key = any (keys) and o.state <> 'deleting'
          and (o.lease_until is null or o.lease_until < clock_timestamp())
        returning 1)
    select count(*) into marked from doomed;
    return marked;
end
$$;
comment on function content.mark_deleting(uuid, text[]) is
    'lab_app: the first phase of deletion; what somebody holds a lease on is left out. Returns how many.';

create function content.drop_uses(tenant uuid, versions uuid[]) returns integer
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    dropped integer;
begin
    -- Whoever confirms another use of the same object comes before, or after.
    perform from content.objects o
    where o.tenant_id = tenant
      and o.storage_key in (select u.storage_key from content.uses u where u.tenant_id = tenant and u.version_id = any (versions))
    order by o.storage_key for update;
    with gone as (
        delete from content.uses u where u.tenant_id = tenant and u.version_id = any (versions)
        returning u.storage_key, u.version_id
    ), unused as (
        update content.objects o set state = 'deleting', changed_at = now()
        where o.tenant_id = tenant and o.state = 'live' and o.storage_key in (select g.storage_key from gone g)
          and not exists (select from content.uses u
                          where u.tenant_id = tenant and u.storage_key = o.storage_key and u.version_id <> all (versions))
    )
    select count(*) into dropped from gone;
    return dropped;
end
$$;
comment on function content.drop_uses(uuid, uuid[]) is
    'lab_platform: these versions are no more; what none uses any longer is marked for deletion. Returns how many uses went.';

create function content.restore(tenant uuid, keys text[]) returns integer
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    restored integer;
begin
    with kept as (
        update content.objects o set state = 'live', changed_at = now()
        where o.tenant_id = tenant and o.storage_key = any (keys) and o.state = 'deleting'
        returning 1)
    select count(*) into restored from kept;
    return restored;
end
$$;
comment on function content.restore(uuid, text[]) is 'lab_platform: what is referred to is not deleted after all. Returns how many.';

create function content.remove(tenant uuid, keys text[]) returns integer
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    removed integer;
begin
    perform from content.objects o
    where o.tenant_id = tenant and o.storage_key = any (keys) and o.state = 'deleting' order by o.storage_key for update;
    delete from content.uses u using content.objects o
    where o.tenant_id = tenant and o.storage_key = any (keys) and o.state = 'deleting'
      and u.tenant_id = tenant and u.storage_key = o.storage_key;
    with gone as (
        delete from content.objects o
        where o.tenant_id = tenant and o.storage_key = any (keys) and o.state = 'deleting'
        returning 1)
    select count(*) into removed from gone;
    return removed;
end
$$;
comment on function content.remove(uuid, text[]) is
    'lab_platform: the second phase, once the OLTP has condemned the keys. Returns how many were removed.';

revoke execute on all functions in schema content from public;
grant usage on schema content to lab_app, lab_platform;
grant select, insert, update on content.objects to lab_app;
grant select, insert on content.uses to lab_app;
grant select, insert, update, delete on content.objects, content.uses to lab_platform;
grant execute on function
    content.reserve(uuid, text, text, bytea, bytea, interval), content.confirm(uuid, text, uuid),
    content.unavailable(uuid, text[]), content.fetch(uuid, text), content.mark_deleting(uuid, text[])
    to lab_app, lab_platform;
grant execute on function
    content.drop_uses(uuid, uuid[]), content.restore(uuid, text[]), content.remove(uuid, text[]) to lab_platform;

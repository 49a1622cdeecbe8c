-- What the reconciler of the content database asks and tells. No transaction spans the two databases:
-- here is decided what content may go, and there it is removed afterwards.

create function campaigns.condemn_contents(tenant uuid, keys text[], at timestamptz default now()) returns setof text
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    perform from public.tenants t where t.id = tenant for key share;
    if not found then  -- nobody can write for it any more
        return query select k.key from unnest(keys) as k (key);
        return;
    end if;
    insert into campaigns.contents (tenant_id, storage_key)
    select tenant, k.key from unnest(keys) as k (key) order by k.key
    on conflict do nothing;
    -- Whoever is about to refer to it holds the row until then; whoever comes later finds it condemned.
    perform from campaigns.contents c
    where c.tenant_id = tenant and c.storage_key = any (keys) order by c.storage_key for update;
    update campaigns.contents c
    set status = 'condemned', changed_at = at
    where c.tenant_id = tenant and c.storage_key = any (keys) and c.status <> 'condemned'
      and not exists (select from campaigns.template_versions v
                      where v.tenant_id = tenant and v.storage_key = c.storage_key);
    return query
        select c.storage_key from campaigns.contents c
        where c.tenant_id = tenant and c.storage_key = any (keys) and c.status = 'condemned';
end
$$;
comment on function campaigns.condemn_contents(uuid, text[], timestamptz) is
    'lab_platform: says which of these no version refers to, nor ever will: they may be removed from the content database. Of a purged tenant all.';

create function campaigns.versions_of_contents(tenant uuid, keys text[])
    returns table (storage_key text, version_id uuid)
    language sql stable set search_path = pg_catalog
    begin atomic
        select v.storage_key, v.id from campaigns.template_versions v
        where v.tenant_id = tenant and v.storage_key = any (keys);
    end;
comment on function campaigns.versions_of_contents(uuid, text[]) is 'lab_platform: who refers to these.';

create function campaigns.note_missing_contents(tenant uuid, keys text[], at timestamptz default now()) returns integer
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    running uuid;
    paused integer := 0;
begin
    update campaigns.contents c set status = 'missing', changed_at = at
    where c.tenant_id = tenant and c.storage_key = any (keys) and c.status = 'claimed';
    for running in
        select distinct c.id
        from campaigns.template_versions v
        join campaigns.steps s on s.tenant_id = tenant and s.template_id = v.template_id
        join campaigns.campaigns c on c.tenant_id = tenant and c.id = s.campaign_id
        where v.tenant_id = tenant and v.storage_key = any (keys) and c.status = 'running'
          and not exists (select from campaigns.template_versions newer
                          where newer.tenant_id = tenant and newer.template_id = v.template_id
                            and newer.version > v.version)
        order by c.id
    loop
        perform campaigns.pause_campaign(tenant, running, 'content is missing', at);
        paused := paused + 1;
    end loop;
    return paused;
end
$$;
comment on function campaigns.note_missing_contents(uuid, text[], timestamptz) is
    'lab_platform: the content database has lost these: no campaign starts with them, and those that run are paused. Returns how many.';

create function campaigns.note_found_contents(tenant uuid, keys text[]) returns integer
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    found_again integer;
begin
    update campaigns.contents c set status = 'claimed', changed_at = null
    where c.tenant_id = tenant and c.storage_key = any (keys) and c.status = 'missing';
    get diagnostics found_again = row_count;
    return found_again;
end
$$;
comment on function campaigns.note_found_contents(uuid, text[]) is
    'lab_platform: what was missing is there again; campaigns may start with it. Returns how many.';

create function campaigns.forget_condemned_contents(before timestamptz, batch integer default 1000) returns integer
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    forgotten integer;
begin
    delete from campaigns.contents
    where ctid = any (array(
        select c.ctid from campaigns.contents c
        where c.status = 'condemned' and c.changed_at < before limit batch for update skip locked));
    get diagnostics forgotten = row_count;
    return forgotten;
end
$$;
comment on function campaigns.forget_condemned_contents(timestamptz, integer) is
    'lab_platform: forgets what was condemned so long ago that nobody can be about to refer to it. Returns how many.';

revoke execute on function
    campaigns.condemn_contents(uuid, text[], timestamptz), campaigns.versions_of_contents(uuid, text[]),
    campaigns.note_missing_contents(uuid, text[], timestamptz), campaigns.note_found_contents(uuid, text[]),
    campaigns.forget_condemned_contents(timestamptz, integer)
    from public;
grant execute on function
    campaigns.condemn_contents(uuid, text[], timestamptz), campaigns.versions_of_contents(uuid, text[]),
    campaigns.note_missing_contents(uuid, text[], timestamptz), campaigns.note_found_contents(uuid, text[]),
    campaigns.forget_condemned_contents(timestamptz, integer)
    to lab_platform;

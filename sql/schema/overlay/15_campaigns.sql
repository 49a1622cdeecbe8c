-- Campaigns on plain Postgres: whoever writes a version claims its content first.

-- Who condemns content locks the same row: one of the two comes first, and the other sees it.
create function lab.claim_content() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    found_status text;
begin
    insert into campaigns.contents (tenant_id, storage_key) values (new.tenant_id, new.storage_key)
    on conflict do nothing;
    select c.status into found_status from campaigns.contents c
    where c.tenant_id = new.tenant_id and c.storage_key = new.storage_key for key share;
    if found_status = 'condemned' then
        raise exception 'content % has been given up', new.storage_key
            using errcode = 'object_not_in_prerequisite_state', hint = 'store it again, under a key of its own';
    end if;
    return new;
end
$$;
comment on function lab.claim_content() is 'Claims the content that a template version refers to; refuses what was condemned.';

create trigger claim_content before insert or update of storage_key on campaigns.template_versions
    for each row execute function lab.claim_content();

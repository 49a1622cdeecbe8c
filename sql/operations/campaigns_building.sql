-- What a campaign is made of: templates and their versions, steps and conditions, leads and lists.

create function campaigns.create_campaign(
    tenant uuid, campaign_name text, zone text default 'UTC', creator uuid default null, at timestamptz default now(),
    out campaign_id uuid, out refusal text
)
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    -- pg_timezone_names reads hundreds of files. A name of IANA's form is nothing else, if it is one at all.
    if zone ~ '^[A-Za-z_]+(/[A-Za-z_-]+)+$' then
        perform at at time zone zone;
    elsif zone is distinct from 'UTC' and not exists (select from pg_timezone_names z where z.name = zone) then
        raise exception 'there is no time zone %', zone using errcode = 'invalid_parameter_value';
    end if;
    select quota.refusal into refusal from billing.consume_limit(tenant, 'campaigns', 1, at) quota;
    if refusal is null then
        insert into campaigns.campaigns (tenant_id, name, time_zone, created_by, created_at, updated_at)
        values (tenant, campaign_name, zone, creator, at, at)
        returning id into campaign_id;
    end if;
end
$$;
comment on function campaigns.create_campaign(uuid, text, text, uuid, timestamptz) is
    'lab_app: makes a draft, if the plan has room for one more campaign; else says why not, as billing.consume_limit does.';

create function campaigns.set_window(
    tenant uuid, campaign uuid, opens time, closes time, days smallint[], cap integer default null, at timestamptz default now()
) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    update campaigns.campaigns c
    set window_start = opens, window_end = closes, window_days = days, daily_cap = cap, updated_at = at
    where c.tenant_id = tenant and c.id = campaign;
    if not found then
        raise exception 'campaign % does not exist', campaign using errcode = 'no_data_found';
    end if;
end
$$;
comment on function campaigns.set_window(uuid, uuid, time, time, smallint[], integer, timestamptz) is
    'lab_app: when a campaign may send (local times, ISO days of the week), and how many mails a day (null: no cap).';

create function campaigns.add_step(
    tenant uuid, campaign uuid, step_kind text, wait interval default '0', after uuid default null,
    on_branch text default 'next', template uuid default null
) returns uuid
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    added uuid;
    parent_kind text;
    allowed constant bigint := billing.entitlement(tenant, 'steps_per_campaign');
    place integer;
begin
    perform from campaigns.campaigns c
    where c.tenant_id = tenant and c.id = campaign and c.status in ('draft', 'scheduled', 'paused')
    for no key update;
    if not found then
        raise exception 'campaign % does not exist, runs, or has ended: its steps cannot be changed', campaign
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    if after is not null then
        select s.kind into parent_kind from campaigns.steps s
        where s.tenant_id = tenant and s.id = after and s.campaign_id = campaign;
        if not found then
            raise exception 'step % is not of campaign %', after, campaign using errcode = 'foreign_key_violation';
        end if;
    end if;
    if coalesce(parent_kind = 'condition', false) = (on_branch = 'next') then
        raise exception 'a step goes on from a condition with yes or no, and from any other with next, not with %', on_branch
            using errcode = 'invalid_parameter_value';
    end if;
    select coalesce(max(s.position), 0) + 1 into place
    from campaigns.steps s where s.tenant_id = tenant and s.campaign_id = campaign;
    if place > allowed then
        raise exception 'the plan has room for % steps in a campaign', allowed
            using errcode = 'program_limit_exceeded', hint = 'see billing.entitlement(tenant, ''steps_per_campaign'')';
    end if;
    insert into campaigns.steps (tenant_id, campaign_id, position, kind, parent_id, branch, template_id, delay)
    values (tenant, campaign, place, step_kind, after, on_branch, template, wait)
    returning id into added;
    return added;
end
$$;
comment on function campaigns.add_step(uuid, uuid, text, interval, uuid, text, uuid) is
    'lab_app: hangs a step on another (the first on none) while the campaign does not run; returns it.';

create function campaigns.add_condition(tenant uuid, step uuid, event text, is_negated boolean default false, days integer default null)
    returns uuid
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    added uuid;
begin
    perform from campaigns.steps s where s.tenant_id = tenant and s.id = step and s.kind = 'condition';
    if not found then
        raise exception 'step % does not exist or is no condition', step using errcode = 'foreign_key_violation';
    end if;
    perform from campaigns.steps s
    join campaigns.campaigns c on c.tenant_id = s.tenant_id and c.id = s.campaign_id
    where s.tenant_id = tenant and s.id = step and c.status in ('draft', 'scheduled', 'paused')
    for no key update of c;
    if not found then
        raise exception 'the campaign of step % runs or has ended: its steps cannot be changed', step
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    insert into campaigns.step_conditions (tenant_id, step_id, event_kind, negated, within_days)
    values (tenant, step, event, is_negated, days)
    returning id into added;
    return added;
end
$$;
comment on function campaigns.add_condition(uuid, uuid, text, boolean, integer) is
    'lab_app: one more question that must hold for the yes of a condition, while the campaign does not run: (not) opened, clicked or replied, within days or ever.';

-- Templates ------------------------------------------------------------------------------------------

create function campaigns.save_template(
    tenant uuid, template uuid, template_name text, subject_line text, content_key text,
    folder uuid default null, author uuid default null, at timestamptz default now(),
    out template_id uuid, out version_id uuid
)
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    if template is null then
        insert into campaigns.templates (tenant_id, name, folder_id, status, created_at, updated_at)
        values (tenant, template_name, folder, 'active', at, at)
        returning id into template_id;
    else
        -- The row's lock numbers the versions.
        update campaigns.templates t
        set name = coalesce(template_name, t.name), updated_at = at
        where t.tenant_id = tenant and t.id = template and t.status <> 'archived'
        returning t.id into template_id;
        if not found then
            raise exception 'template % does not exist or is archived', template using errcode = 'no_data_found';
        end if;
    end if;
    insert into campaigns.template_versions (tenant_id, template_id, version, subject, storage_key, created_by, created_at)
    select tenant, save_template.template_id, coalesce(max(v.version), 0) + 1, subject_line, content_key, author, at
    from campaigns.template_versions v
    where v.tenant_id = tenant and v.template_id = save_template.template_id
    returning id into version_id;
end
$$;
comment on function campaigns.save_template(uuid, uuid, text, text, text, uuid, uuid, timestamptz) is
    'lab_app: saves a new template (null) or a new version of one; the content itself lies elsewhere, under the key.';

create function campaigns.set_template_status(tenant uuid, template uuid, wanted text, at timestamptz default now()) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    perform from campaigns.templates t where t.tenant_id = tenant and t.id = template for no key update;
    if not found then
        raise exception 'template % does not exist', template using errcode = 'no_data_found';
    end if;
    if wanted = 'archived' then
        perform from campaigns.steps s
        join campaigns.campaigns c on c.tenant_id = s.tenant_id and c.id = s.campaign_id
        where s.tenant_id = tenant and s.template_id = template and c.status in ('scheduled', 'running', 'paused');
        if found then
            raise exception 'template % is used by a campaign that has not ended', template
                using errcode = 'object_in_use';
        end if;
    end if;
    update campaigns.templates t set status = wanted, updated_at = at where t.tenant_id = tenant and t.id = template;
end
$$;
comment on function campaigns.set_template_status(uuid, uuid, text, timestamptz) is
    'lab_app: activates or archives a template; one that a live campaign sends cannot be archived.';

create function campaigns.delete_template(tenant uuid, template uuid) returns integer
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    versions integer;
begin
    perform from campaigns.templates t
    where t.tenant_id = tenant and t.id = template and t.status = 'archived' for update;
    if not found then
        raise exception 'template % does not exist or is not archived', template
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    perform from campaigns.steps s where s.tenant_id = tenant and s.template_id = template;
    if found then
        raise exception 'template % belongs to the steps of a campaign', template using errcode = 'object_in_use';
    end if;
    delete from campaigns.template_tags t where t.tenant_id = tenant and t.template_id = template;
    delete from campaigns.template_versions v where v.tenant_id = tenant and v.template_id = template;
    get diagnostics versions = row_count;
    delete from campaigns.templates t where t.tenant_id = tenant and t.id = template;
    return versions;
end
$$;
comment on function campaigns.delete_template(uuid, uuid) is
    'lab_app: removes an archived template that no campaign has, with its versions; what they refer to in the content database goes later. Returns how many versions there were.';

create function campaigns.move_template(tenant uuid, template uuid, folder uuid, at timestamptz default now()) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    update campaigns.templates t set folder_id = folder, updated_at = at where t.tenant_id = tenant and t.id = template;
    if not found then
        raise exception 'template % does not exist', template using errcode = 'no_data_found';
    end if;
end
$$;
comment on function campaigns.move_template(uuid, uuid, uuid, timestamptz) is 'lab_app: puts a template into a folder (null: the top).';

create function campaigns.tag_template(tenant uuid, template uuid, tags text[]) returns void
    language sql set search_path = pg_catalog
    begin atomic
        delete from campaigns.template_tags t where t.tenant_id = tenant and t.template_id = template and t.tag <> all (tags);
        insert into campaigns.template_tags (tenant_id, template_id, tag)
        select tenant, template, wanted.tag from unnest(tags) as wanted (tag)
        on conflict do nothing;
    end;
comment on function campaigns.tag_template(uuid, uuid, text[]) is 'lab_app: gives a template these tags and no others.';

-- Leads ----------------------------------------------------------------------------------------------

create function campaigns.import_leads(tenant uuid, people jsonb, list uuid default null, at timestamptz default now(),
        out inserted bigint, out updated bigint, out refusal text)
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    inserted := 0;
    updated := 0;
    with given as (
        -- In one order, so that two imports cannot deadlock; of one address, what comes last holds.
        select distinct on (lower(p.email)) p.email, p.first_name, p.last_name, coalesce(p.custom_fields, '{}') as custom_fields
        from rows from (jsonb_to_recordset(people) as (email text, first_name text, last_name text, custom_fields jsonb))
            with ordinality as p (email, first_name, last_name, custom_fields, place)
        order by lower(p.email), p.place desc
    ), written as (
        insert into campaigns.leads as l (tenant_id, email, first_name, last_name, custom_fields, created_at, updated_at)
        select tenant, g.email, g.first_name, g.last_name, g.custom_fields, at, at from given g
        on conflict (tenant_id, email_norm) do update
        set first_name = coalesce(excluded.first_name, l.first_name),
            last_name = coalesce(excluded.last_name, l.last_name),
            custom_fields = l.custom_fields || excluded.custom_fields,
            updated_at = excluded.updated_at
        returning l.id, l.xmax = 0 as is_new
    ), listed as (
        insert into campaigns.list_leads (tenant_id, list_id, lead_id, added_at)
        select tenant, list, w.id, at from written w where list is not null
        on conflict do nothing
    )
    select count(*) filter (where w.is_new), count(*) filter (where not w.is_new)
    into inserted, updated from written w;
    if inserted > 0 then
        select quota.refusal into refusal from billing.consume_limit(tenant, 'leads', inserted, at) quota;
        if refusal is not null then
            raise exception using errcode = 'LR001', message = refusal;
        end if;
    end if;
exception when sqlstate 'LR001' then
    inserted := 0;
    updated := 0;
    refusal := sqlerrm;
end
$$;
comment on function campaigns.import_leads(uuid, jsonb, uuid, timestamptz) is
    'lab_app: inserts or updates leads by address (an array of objects: email, first_name, last_name, custom_fields), and puts them on a list; all of them, or none when the plan has no room for the new ones.';

create function campaigns.list_campaigns(
    tenant uuid, wanted text, page_size integer default 50,
    before timestamptz default 'infinity', before_id uuid default 'ffffffff-ffff-ffff-ffff-ffffffffffff'
) returns setof campaigns.campaigns
    language plpgsql stable
    set search_path = pg_catalog
as $$
begin
    return query
        select c.* from campaigns.campaigns c
        where c.tenant_id = tenant and c.status = wanted and (c.created_at, c.id) < (before, before_id)
        order by c.created_at desc, c.id desc limit page_size;
end
$$;
comment on function campaigns.list_campaigns(uuid, text, integer, timestamptz, uuid) is
    'lab_app: a page of campaigns in a status, newest first; the next page comes before the created_at and id of the last of this one.';

create function campaigns.list_leads(
    tenant uuid, wanted text, page_size integer default 50,
    before timestamptz default 'infinity', before_id uuid default 'ffffffff-ffff-ffff-ffff-ffffffffffff'
) returns setof campaigns.leads
    language plpgsql stable
    set search_path = pg_catalog
as $$
begin
    return query
        select l.* from campaigns.leads l
        where l.tenant_id = tenant and l.status = wanted and (l.created_at, l.id) < (before, before_id)
        order by l.created_at desc, l.id desc limit page_size;
end
$$;
comment on function campaigns.list_leads(uuid, text, integer, timestamptz, uuid) is
    'lab_app: a page of leads in a status, newest first; the next page comes before the created_at and id of the last of this one.';

create function campaigns.erase_lead(tenant uuid, lead uuid, at timestamptz default now()) returns boolean
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    -- Nothing is sent or recorded meanwhile that would refer to what goes.
    perform from campaigns.enrollments e where e.tenant_id = tenant and e.lead_id = lead order by e.id for update;
    with gone as (
        delete from campaigns.events v where v.tenant_id = tenant and v.lead_id = lead returning v.campaign_id, v.kind)
    insert into campaigns.counters as c (tenant_id, campaign_id, kind, slot, forgotten)
    select tenant, g.campaign_id, g.kind, -1, count(*) from gone g group by g.campaign_id, g.kind order by 2, 3
    on conflict (tenant_id, campaign_id, kind, slot) do update set forgotten = c.forgotten + excluded.forgotten;
    delete from campaigns.step_executions x using campaigns.enrollments e
    where e.tenant_id = tenant and e.lead_id = lead and x.tenant_id = tenant and x.enrollment_id = e.id;
    delete from campaigns.enrollments e where e.tenant_id = tenant and e.lead_id = lead;
    delete from campaigns.list_leads m where m.tenant_id = tenant and m.lead_id = lead;
    delete from campaigns.leads l where l.tenant_id = tenant and l.id = lead;
    if found then
        perform billing.release_limit(tenant, 'leads', 1, at);
    end if;
    return found;
end
$$;
comment on function campaigns.erase_lead(uuid, uuid, timestamptz) is
    'lab_app: forgets a lead and all that it did (a request for erasure); counters and suppressions stay. Returns whether there was one.';


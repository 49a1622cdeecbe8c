-- The lifecycle of a campaign: draft, scheduled, running, paused, finished, cancelled. What may follow
-- what is in lab.transitions; a call that asks for anything else raises.

create function campaigns.set_status(tenant uuid, campaign uuid, wanted text, at timestamptz, reason text default null)
    returns void
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    current text;
begin
    select c.status into current from campaigns.campaigns c
    where c.tenant_id = tenant and c.id = campaign for no key update;
    if not found then
        raise exception 'campaign % does not exist', campaign using errcode = 'no_data_found';
    elsif current = wanted then
        raise exception 'campaign % is % already', campaign, wanted using errcode = 'check_violation';
    end if;
    update campaigns.campaigns c
    set status = wanted,
        pause_reason = reason,
        started_at = case when wanted = 'running' then coalesce(c.started_at, at) else c.started_at end,
        finished_at = case when wanted in ('finished', 'cancelled') then at end,
        updated_at = at
    where c.tenant_id = tenant and c.id = campaign;
end
$$;
comment on function campaigns.set_status(uuid, uuid, text, timestamptz, text) is
    'lab_app: moves a campaign to another status, of which the outbox is told; raises when lab.transitions does not allow it.';

create function campaigns.schedule_campaign(tenant uuid, campaign uuid, start_at timestamptz, at timestamptz default now())
    returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    if start_at is null or start_at <= at then
        raise exception 'a campaign cannot be scheduled for %, which is not in the future', start_at
            using errcode = 'invalid_parameter_value';
    end if;
    update campaigns.campaigns c set scheduled_at = start_at where c.tenant_id = tenant and c.id = campaign;
    perform campaigns.set_status(tenant, campaign, 'scheduled', at);
end
$$;
comment on function campaigns.schedule_campaign(uuid, uuid, timestamptz, timestamptz) is
    'lab_app: a draft or paused campaign is to start at a time to come.';

create function campaigns.unschedule_campaign(tenant uuid, campaign uuid, at timestamptz default now()) returns void
    language sql set search_path = pg_catalog
    begin atomic select campaigns.set_status(tenant, campaign, 'draft', at); end;
comment on function campaigns.unschedule_campaign(uuid, uuid, timestamptz) is
    'lab_app: a scheduled campaign becomes a draft again.';

create function campaigns.start_campaign(tenant uuid, campaign uuid, at timestamptz default now()) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    unfinished record;
    without_body integer;
begin
    -- Whoever adds a step has finished, or waits until it runs.
    perform from campaigns.campaigns c where c.tenant_id = tenant and c.id = campaign for no key update;
    if not found then
        raise exception 'campaign % does not exist', campaign using errcode = 'no_data_found';
    end if;
    select coalesce(count(*), 0) as steps,
           min(s.position) filter (where s.kind = 'action' and not exists (
               select from campaigns.template_versions v
               join campaigns.templates t on t.tenant_id = v.tenant_id and t.id = v.template_id
               where v.tenant_id = tenant and v.template_id = s.template_id and t.status <> 'archived')) as without_content,
           min(s.position) filter (where s.kind = 'condition' and not exists (
               select from campaigns.step_conditions c
               where c.tenant_id = tenant and c.step_id = s.id)) as without_condition
    into unfinished
    from campaigns.steps s where s.tenant_id = tenant and s.campaign_id = campaign;
    if unfinished.steps = 0 then
        raise exception 'campaign % has no steps', campaign using errcode = 'object_not_in_prerequisite_state';
    elsif unfinished.without_content is not null then
        raise exception 'step % of campaign % has no content', unfinished.without_content, campaign
            using errcode = 'object_not_in_prerequisite_state', hint = 'give it a template that has a version and is not archived';
    elsif unfinished.without_condition is not null then
        raise exception 'step % of campaign % asks nothing', unfinished.without_condition, campaign
            using errcode = 'object_not_in_prerequisite_state', hint = 'give it a condition';
    end if;

    -- What is claimed cannot vanish from the content database; so this needs no look at it.
    select min(s.position) into without_body
    from campaigns.steps s
    cross join lateral (
        select v.storage_key from campaigns.template_versions v
        where v.tenant_id = tenant and v.template_id = s.template_id
        order by v.version desc limit 1) newest
    where s.tenant_id = tenant and s.campaign_id = campaign and s.kind = 'action'
      and (select k.status from campaigns.contents k
           where k.tenant_id = tenant and k.storage_key = newest.storage_key) <> 'claimed';
    if without_body is not null then
        raise exception 'the content of step % of campaign % is missing', without_body, campaign
            using errcode = 'object_not_in_prerequisite_state', hint = 'save its template again';
    end if;

    perform campaigns.set_status(tenant, campaign, 'running', at);
    -- What was parked while the campaign did not run is due now.
    update campaigns.enrollments e
    set due_at = at, deferred_for = null, deferred_since = null, updated_at = at
    where e.tenant_id = tenant and e.campaign_id = campaign and e.status = 'active' and e.due_at = 'infinity';
end
$$;
comment on function campaigns.start_campaign(uuid, uuid, timestamptz) is
    'lab_app: starts a draft or scheduled campaign, or resumes a paused one; each action needs content, each condition a question.';

create function campaigns.start_scheduled_campaigns(batch integer default 100, at timestamptz default now()) returns integer
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    due record;
    started integer := 0;
begin
    for due in
        select c.tenant_id, c.id from campaigns.campaigns c
        join public.tenants t on t.id = c.tenant_id and t.status = 'active'
        where c.status = 'scheduled' and c.scheduled_at <= at
        order by c.scheduled_at limit batch
        for no key update of c skip locked
    loop
        begin
            perform campaigns.start_campaign(due.tenant_id, due.id, at);
            started := started + 1;
        exception when object_not_in_prerequisite_state then
            perform campaigns.set_status(due.tenant_id, due.id, 'draft', at, sqlerrm);
        end;
    end loop;
    return started;
end
$$;
comment on function campaigns.start_scheduled_campaigns(integer, timestamptz) is
    'lab_platform: starts campaigns whose time has come, in every active tenant; one that is not ready becomes a draft again, with the reason. Returns how many started.';

create function campaigns.pause_campaign(tenant uuid, campaign uuid, reason text, at timestamptz default now()) returns void
    language sql set search_path = pg_catalog
    begin atomic select campaigns.set_status(tenant, campaign, 'paused', at, reason); end;
comment on function campaigns.pause_campaign(uuid, uuid, text, timestamptz) is
    'lab_app: pauses a running campaign; nothing of it is sent until it is started again.';

create function campaigns.end_campaign(tenant uuid, campaign uuid, wanted text, at timestamptz) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    perform campaigns.set_status(tenant, campaign, wanted, at);
    update campaigns.enrollments e
    set status = 'stopped', stop_reason = wanted, due_at = null, deferred_for = null, deferred_since = null, updated_at = at
    where e.tenant_id = tenant and e.campaign_id = campaign and e.status = 'active';
    perform billing.release_limit(tenant, 'campaigns', 1, at);
end
$$;
comment on function campaigns.end_campaign(uuid, uuid, text, timestamptz) is
    'lab_app: ends a campaign, stops whoever is still on the way through it, and gives its place in the plan back.';

create function campaigns.finish_campaign(tenant uuid, campaign uuid, at timestamptz default now()) returns void
    language sql set search_path = pg_catalog
    begin atomic select campaigns.end_campaign(tenant, campaign, 'finished', at); end;
comment on function campaigns.finish_campaign(uuid, uuid, timestamptz) is 'lab_app: finishes a running campaign.';

create function campaigns.cancel_campaign(tenant uuid, campaign uuid, at timestamptz default now()) returns void
    language sql set search_path = pg_catalog
    begin atomic select campaigns.end_campaign(tenant, campaign, 'cancelled', at); end;
comment on function campaigns.cancel_campaign(uuid, uuid, timestamptz) is 'lab_app: cancels a running or paused campaign.';

create function campaigns.campaign_progress(tenant uuid, campaign uuid)
    returns table (step_position integer, kind text, waiting bigint, deferred bigint, executed bigint, skipped bigint)
    language sql stable set search_path = pg_catalog
    begin atomic
        select s.position, s.kind, e.waiting, e.deferred, x.executed, x.skipped
        from campaigns.steps s
        cross join lateral (
            select count(*) as waiting, count(e.deferred_for) as deferred
            from campaigns.enrollments e
            where e.tenant_id = tenant and e.step_id = s.id and e.status = 'active') e
        cross join lateral (
            select count(*) as executed, count(x.skip_reason) as skipped
            from campaigns.step_executions x where x.tenant_id = tenant and x.step_id = s.id) x
        where s.tenant_id = tenant and s.campaign_id = campaign
        order by s.position;
    end;
comment on function campaigns.campaign_progress(uuid, uuid) is
    'lab_app: how many wait at each step of a campaign, how many of them are put off, and how many have passed or skipped it.';


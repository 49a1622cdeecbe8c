-- On the way through a campaign: who is enrolled, which steps are due, and what each does.

create function campaigns.is_suppressed(tenant uuid, address text, at timestamptz) returns boolean
    language sql stable set search_path = pg_catalog
    begin atomic
        select exists (
            select from campaigns.suppressions s
            where s.tenant_id = tenant and s.email_norm = address and (s.expires_at is null or s.expires_at > at));
    end;
comment on function campaigns.is_suppressed(uuid, text, timestamptz) is
    'lab_app: whether a tenant must not write to an address (in lower case).';

create function campaigns.enroll_leads(tenant uuid, campaign uuid, leads uuid[], at timestamptz default now()) returns integer
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    enrolled integer;
    start_step uuid;
    start_at timestamptz;
begin
    -- While the campaign does not run, what comes due is parked until it does.
    select s.id, date_add(at, s.delay, 'UTC')
    into start_step, start_at
    from campaigns.campaigns c
    join campaigns.steps s on s.tenant_id = c.tenant_id and s.campaign_id = c.id and s.parent_id is null
    where c.tenant_id = tenant and c.id = campaign and c.status not in ('finished', 'cancelled')
    for share of c;  -- nobody ends it meanwhile
    if not found then
        raise exception 'campaign % does not exist, has ended, or has no steps', campaign
            using errcode = 'object_not_in_prerequisite_state';
    end if;

    insert into campaigns.enrollments (tenant_id, campaign_id, lead_id, step_id, due_at, created_at, updated_at)
    select tenant, campaign, l.id, start_step, start_at, at, at
    from campaigns.leads l
    where l.tenant_id = tenant and l.id = any (leads)
      and l.status not in ('unsubscribed', 'bounced', 'complained')
      and not campaigns.is_suppressed(tenant, l.email_norm, at)
    order by l.id  -- two that enroll the same leads do not deadlock
    on conflict (tenant_id, campaign_id, lead_id) do nothing;
    get diagnostics enrolled = row_count;
    return enrolled;
end
$$;
comment on function campaigns.enroll_leads(uuid, uuid, uuid[], timestamptz) is
    'lab_app: enrolls leads in a campaign, once each, leaving out whom the tenant must not write to; returns how many.';

create function campaigns.enroll_again(tenant uuid, campaign uuid, lead uuid, at timestamptz default now()) returns integer
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    start record;
    turn integer;
begin
    select s.id, s.delay into start
    from campaigns.campaigns c
    join campaigns.steps s on s.tenant_id = c.tenant_id and s.campaign_id = c.id and s.parent_id is null
    join campaigns.leads l on l.tenant_id = c.tenant_id and l.id = lead
    where c.tenant_id = tenant and c.id = campaign and c.status not in ('finished', 'cancelled')
      and l.status not in ('unsubscribed', 'bounced', 'complained')
      and not campaigns.is_suppressed(tenant, l.email_norm, at)
    for share of c;
    update campaigns.enrollments e
    set status = 'active', rotation = e.rotation + 1, step_id = start.id,
        due_at = date_add(at, start.delay, 'UTC'), updated_at = at
    where e.tenant_id = tenant and e.campaign_id = campaign and e.lead_id = lead and e.status = 'completed'
      and start.id is not null
    returning e.rotation into turn;
    return turn;
end
$$;
comment on function campaigns.enroll_again(uuid, uuid, uuid, timestamptz) is
    'lab_app: sends a lead that has completed a campaign through it once more; returns the rotation, or null when it has not completed it or must not be written to.';

-- What is due ----------------------------------------------------------------------------------------

-- Tenants are visited in random order, so that each has the same chance, and each gives at most its
-- share. A claim is a lease: when it runs out the enrollment can be claimed again, so that a worker
-- that died loses nothing. It stands in a column of its own, which no index has: a claim stays HOT.
create function campaigns.claim_due_steps(
    batch integer default 100, per_tenant integer default 20, at timestamptz default now(), lease interval default '5 minutes'
) returns table (tenant_id uuid, enrollment_id uuid, step_id uuid, due_at timestamptz)
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    return query
        update campaigns.enrollments e
        set claimed_until = at + lease
        where e.ctid = any (array(  -- locked, so they stay where they are
            select due.ctid
            from (select unnest(array_shuffle(array(
                      select a.id from public.tenants a where a.status = 'active'))) as id) as t
            cross join lateral (
                select mine.ctid
                from campaigns.enrollments mine
                where mine.tenant_id = t.id and mine.status = 'active' and mine.due_at <= at
                  and (mine.claimed_until is null or mine.claimed_until <= at)
                order by mine.due_at
                limit per_tenant
                for no key update skip locked) as due
            limit batch))
        returning e.tenant_id, e.id, e.step_id, e.due_at;
end
$$;
comment on function campaigns.claim_due_steps(integer, integer, timestamptz, interval) is
    'lab_platform: leases up to a batch of due enrollments, fairly over active tenants; two workers never get the same one within its lease.';

-- One step -------------------------------------------------------------------------------------------

create function campaigns.next_window(at timestamptz, zone text, opens time, closes time, days smallint[]) returns timestamptz
    language plpgsql stable
    set search_path = pg_catalog
as $$
declare
    local_time constant timestamp := at at time zone zone;
    day date := local_time::date;
    opening timestamptz := at;
begin
    if local_time::time < opens then
        opening := (day + opens) at time zone zone;
    end if;
    -- Where the clock skips the whole window there is none on that day.
    while not extract(isodow from day)::smallint = any (days) or (opening at time zone zone) >= day + closes loop
        day := day + 1;
        opening := (day + opens) at time zone zone;
    end loop;
    return opening;
end
$$;
comment on function campaigns.next_window(timestamptz, text, time, time, smallint[]) is
    'lab_app: the earliest moment from at on that lies in a send window. Where a clock is put forward or back, up to an hour of one may be passed over.';

create function campaigns.conditions_hold(tenant uuid, step uuid, campaign uuid, lead uuid, at timestamptz) returns boolean
    language sql stable set search_path = pg_catalog
    begin atomic
        select not exists (
            select from campaigns.step_conditions c
            where c.tenant_id = tenant and c.step_id = step
              and c.negated = exists (
                  select from campaigns.events e
                  where e.tenant_id = tenant and e.campaign_id = campaign and e.lead_id = lead
                    and e.kind = c.event_kind and not e.automatic
                    and e.occurred_at <= at
                    and (c.within_days is null
                         or e.occurred_at > date_subtract(at, make_interval(days => c.within_days), 'UTC'))));
    end;
comment on function campaigns.conditions_hold(uuid, uuid, uuid, uuid, timestamptz) is
    'lab_app: whether all conditions of a step hold for a lead; a step without conditions holds.';

-- Moves an enrollment to the step after this one, or completes it.
create function campaigns.advance(tenant uuid, enrollment uuid, step uuid, taken text, at timestamptz) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    next_step uuid;
    next_delay interval;
begin
    select s.id, s.delay into next_step, next_delay
    from campaigns.steps s
    where s.tenant_id = tenant and s.parent_id = step and s.branch = taken;

    update campaigns.enrollments e
    set step_id = coalesce(next_step, step),
        status = case when next_step is null then 'completed' else 'active' end,
        due_at = date_add(at, next_delay, 'UTC'),
        claimed_until = null,
        deferred_for = null,
        deferred_since = null,
        updated_at = at
    where e.tenant_id = tenant and e.id = enrollment;
end
$$;
comment on function campaigns.advance(uuid, uuid, uuid, text, timestamptz) is
    'lab_platform: moves an enrollment along a branch; without a next step it is completed.';

create function campaigns.defer(
    tenant uuid, enrollment uuid, reason text, until timestamptz, since timestamptz, at timestamptz
) returns text
    language sql set search_path = pg_catalog
    begin atomic
        update campaigns.enrollments e
        set due_at = until, claimed_until = null, deferred_for = reason,
            deferred_since = coalesce(e.deferred_since, since), updated_at = at
        where e.tenant_id = tenant and e.id = enrollment
        returning reason;
    end;
comment on function campaigns.defer(uuid, uuid, text, timestamptz, timestamptz, timestamptz) is
    'lab_platform: a step is due again later; the reason, and since when it is put off, stay on the enrollment.';

create function campaigns.park(tenant uuid, enrollment uuid, campaign uuid, at timestamptz) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    current text;
begin
    -- Whoever starts the campaign now either has not looked for what is parked, or is waited for.
    select c.status into current from campaigns.campaigns c
    where c.tenant_id = tenant and c.id = campaign for share skip locked;
    return campaigns.defer(tenant, enrollment, 'campaign_not_running',
        case when current in ('draft', 'scheduled', 'paused') then 'infinity' else at + interval '1 minute' end, at, at);
end
$$;
comment on function campaigns.park(uuid, uuid, uuid, timestamptz) is
    'lab_platform: a step is not due until its campaign runs.';

create function campaigns.count(tenant uuid, campaign uuid, event_kind text) returns void
    language sql set search_path = pg_catalog
    begin atomic
        -- A slot for each of 16 sessions, or one hot row would queue every worker of a campaign.
        insert into campaigns.counters (tenant_id, campaign_id, slot, kind, total)
        values (tenant, campaign, pg_backend_pid() % 16, event_kind, 1)
        on conflict (tenant_id, campaign_id, kind, slot) do update set total = counters.total + excluded.total;
    end;
comment on function campaigns.count(uuid, uuid, text) is 'lab_app: adds one to a live counter of a campaign.';

create function campaigns.totals(tenant uuid, campaign uuid) returns table (kind text, total bigint)
    language sql stable set search_path = pg_catalog
    begin atomic
        select c.kind, sum(c.total)::bigint
        from campaigns.counters c
        where c.tenant_id = tenant and c.campaign_id = campaign
        group by c.kind order by c.kind;
    end;
comment on function campaigns.totals(uuid, uuid) is 'lab_app: the live counters of a campaign, without reading an event.';

create function campaigns.take_daily_cap(tenant uuid, campaign uuid, cap integer, at timestamptz) returns boolean
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    if cap is null then
        return true;
    end if;
    insert into campaigns.daily_sends as d (tenant_id, campaign_id, day, sent)
    values (tenant, campaign, (at at time zone 'UTC')::date, 1)
    on conflict (tenant_id, campaign_id, day) do update set sent = d.sent + 1 where d.sent < cap;
    return found;
end
$$;
comment on function campaigns.take_daily_cap(uuid, uuid, integer, timestamptz) is
    'lab_platform: counts a send of today (UTC) unless the campaign''s cap is reached; null is no cap.';

-- Everything that one send uses up: the policy's leave, an account's slot, the campaign's cap, the plan's
-- limit. A refusal rolls the others back with the block.
create function campaigns.take_send(tenant uuid, campaign uuid, cap integer, at timestamptz,
        out email_account_id uuid, out refusal text)
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    refusal := configuration.send_refusal(tenant, at);
    if refusal is null then
        select slot.email_account_id, slot.refusal into email_account_id, refusal
        from infrastructure.take_send_slot(tenant, at) slot;
    end if;
    if refusal is null and not campaigns.take_daily_cap(tenant, campaign, cap, at) then
        refusal := 'campaign_cap';
    end if;
    if refusal is null then
        select quota.refusal into refusal from billing.consume_limit(tenant, 'emails_per_month', 1, at) quota;
    end if;
    if refusal is not null then
        raise exception using errcode = 'LR001', message = refusal;
    end if;
exception when sqlstate 'LR001' then
    email_account_id := null;
    refusal := sqlerrm;
end
$$;
comment on function campaigns.take_send(uuid, uuid, integer, timestamptz) is
    'lab_platform: an account to send from, or why there is none; all that a send uses up is taken together or not at all.';

-- A send that is refused is tried again, for three days; then its step is skipped for that reason.
create function campaigns.execute_step(tenant uuid, enrollment uuid, at timestamptz default now()) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    job record;
    account uuid;
    version uuid;
    outcome text := 'passed';
    reason text;
    taken text := 'next';
    opens_at timestamptz;
begin
    -- Locked first and looked around after: who waited here must not judge by what was before.
    perform from campaigns.enrollments e where e.tenant_id = tenant and e.id = enrollment for no key update;
    select e.campaign_id, e.lead_id, e.step_id, e.rotation, e.due_at, e.deferred_since,
           c.status as campaign_status, c.time_zone, c.window_start, c.window_end, c.window_days, c.daily_cap,
           s.kind, s.template_id, l.email_norm, l.status as lead_status
    into job
    from campaigns.enrollments e
    join public.tenants t on t.id = e.tenant_id and t.status = 'active'
    join campaigns.campaigns c on c.tenant_id = e.tenant_id and c.id = e.campaign_id
    join campaigns.steps s on s.tenant_id = e.tenant_id and s.id = e.step_id
    join campaigns.leads l on l.tenant_id = e.tenant_id and l.id = e.lead_id
    where e.tenant_id = tenant and e.id = enrollment and e.status = 'active';
    if not found then
        return 'not_active';
    elsif job.due_at > at then
        return 'not_due';  -- another worker was faster
    elsif job.campaign_status <> 'running' then
        return campaigns.park(tenant, enrollment, job.campaign_id, at);
    end if;

    if job.kind = 'condition' then
        taken := case when campaigns.conditions_hold(tenant, job.step_id, job.campaign_id, job.lead_id, at)
                      then 'yes' else 'no' end;
    elsif job.kind = 'action' then
        opens_at := campaigns.next_window(at, job.time_zone, job.window_start, job.window_end, job.window_days);
        select v.id into version
        from campaigns.template_versions v
        join campaigns.templates t on t.tenant_id = v.tenant_id and t.id = v.template_id and t.status <> 'archived'
        where v.tenant_id = tenant and v.template_id = job.template_id
        order by v.version desc limit 1;
        if job.lead_status in ('unsubscribed', 'bounced', 'complained')
                or campaigns.is_suppressed(tenant, job.email_norm, at) then
            reason := 'suppressed';
        elsif version is null then
            reason := 'no_content';
        elsif opens_at > at then
            return campaigns.defer(tenant, enrollment, 'outside_window', opens_at, opens_at, at);
        else
            select send.email_account_id, send.refusal into account, reason
            from campaigns.take_send(tenant, job.campaign_id, job.daily_cap, at) send;
            if reason is not null and at < coalesce(job.deferred_since, at) + interval '72 hours' then
                return campaigns.defer(tenant, enrollment, reason,
                    at + case reason when 'minimum_gap' then interval '1 minute' else interval '1 hour' end, at, at);
            end if;
        end if;
        outcome := case when reason is null then 'sent' else 'skipped' end;
    end if;

    insert into campaigns.step_executions (tenant_id, enrollment_id, step_id, rotation, status, skip_reason, branch,
                                           template_version_id, email_account_id, due_at, executed_at)
    values (tenant, enrollment, job.step_id, job.rotation, outcome, reason, taken,
            case when outcome = 'sent' then version end, account, coalesce(job.deferred_since, job.due_at), at);

    if outcome = 'sent' then
        insert into campaigns.events (tenant_id, campaign_id, lead_id, step_id, email_account_id, kind, occurred_at)
        values (tenant, job.campaign_id, job.lead_id, job.step_id, account, 'sent', at);
        perform campaigns.count(tenant, job.campaign_id, 'sent');
        update campaigns.leads l set status = 'contacted', updated_at = at
        where l.tenant_id = tenant and l.id = job.lead_id and l.status = 'new';
    end if;
    if reason = 'suppressed' then
        update campaigns.enrollments e
        set status = 'stopped', stop_reason = reason, due_at = null, deferred_for = null, deferred_since = null, updated_at = at
        where e.tenant_id = tenant and e.id = enrollment;
    else
        perform campaigns.advance(tenant, enrollment, job.step_id, taken, at);
    end if;
    return coalesce(reason, outcome);
end
$$;
comment on function campaigns.execute_step(uuid, uuid, timestamptz) is
    'lab_platform: executes the step that an enrollment is at: sends, branches or waits, and moves it on. Returns sent, passed, not_active, not_due, why the step was skipped, or why it was put off. One step a transaction: its counters are locked until the end.';

create function campaigns.run_due_steps(batch integer default 100, at timestamptz default now())
    returns table (tenant_id uuid, enrollment_id uuid, outcome text)
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    return query
        select d.tenant_id, d.enrollment_id, campaigns.execute_step(d.tenant_id, d.enrollment_id, at)
        from campaigns.claim_due_steps(batch, least(batch, 20), at) d;
end
$$;
comment on function campaigns.run_due_steps(integer, timestamptz) is
    'lab_platform: claims and executes in one transaction, for a single worker; several claim first, commit, and execute each step by itself.';

revoke execute on all functions in schema campaigns from public;
grant execute on all functions in schema campaigns to lab_platform;
grant execute on function campaigns.is_suppressed(uuid, text, timestamptz),
    campaigns.enroll_leads(uuid, uuid, uuid[], timestamptz), campaigns.enroll_again(uuid, uuid, uuid, timestamptz),
    campaigns.next_window(timestamptz, text, time, time, smallint[]),
    campaigns.conditions_hold(uuid, uuid, uuid, uuid, timestamptz), campaigns.totals(uuid, uuid),
    campaigns.count(uuid, uuid, text) to lab_app;

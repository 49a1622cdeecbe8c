-- What came of a mail: events, the lead's lifecycle, suppression, and a campaign that does harm.

create function campaigns.stop_enrollments(tenant uuid, lead uuid, reason text, at timestamptz) returns void
    language sql set search_path = pg_catalog
    begin atomic
        update campaigns.enrollments e
        set status = 'stopped', stop_reason = reason, due_at = null, deferred_for = null, deferred_since = null, updated_at = at
        where e.tenant_id = tenant and e.lead_id = lead and e.status = 'active';
    end;
comment on function campaigns.stop_enrollments(uuid, uuid, text, timestamptz) is
    'lab_app: takes a lead out of every campaign.';

create function campaigns.suppress(
    tenant uuid, address text, why text default 'manual', until timestamptz default null, at timestamptz default now()
) returns void
    language sql set search_path = pg_catalog
    begin atomic
        insert into campaigns.suppressions as s (tenant_id, email_norm, reason, expires_at, created_at)
        values (tenant, lower(address), why, until, at)
        on conflict (tenant_id, email_norm) do update
        -- What still holds is never weakened: the later end, and what a person or their server asked for.
        set reason = case when excluded.reason = 'manual' and (s.expires_at is null or s.expires_at > at)
                          then s.reason else excluded.reason end,
            expires_at = nullif(greatest(coalesce(s.expires_at, 'infinity'), coalesce(excluded.expires_at, 'infinity')),
                                'infinity'),
            created_at = case when s.expires_at <= at then excluded.created_at else s.created_at end;
        select campaigns.stop_enrollments(tenant, l.id, 'suppressed', at)
        from campaigns.leads l where l.tenant_id = tenant and l.email_norm = lower(address);
    end;
comment on function campaigns.suppress(uuid, text, text, timestamptz, timestamptz) is
    'lab_app: an address is not written to any more, until a time or (null) ever; whoever has it is taken out of every campaign.';

create function campaigns.lift_suppression(tenant uuid, address text) returns boolean
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    delete from campaigns.suppressions s
    where s.tenant_id = tenant and s.email_norm = lower(address) and s.reason = 'manual';
    return found;
end
$$;
comment on function campaigns.lift_suppression(uuid, text) is
    'lab_app: ends a manual suppression; what a person or their server asked for stays. Returns whether there was one.';

create function campaigns.expire_suppressions(batch integer default 1000, at timestamptz default now()) returns bigint
    language sql set search_path = pg_catalog
    begin atomic
        with gone as (
            delete from campaigns.suppressions s
            where (s.tenant_id, s.id) in (
                select e.tenant_id, e.id from campaigns.suppressions e where e.expires_at <= at limit batch)
              and s.expires_at <= at  -- again: it may have been renewed meanwhile
            returning 1)
        select count(*) from gone;
    end;
comment on function campaigns.expire_suppressions(integer, timestamptz) is
    'lab_platform: removes suppressions that have ended; returns how many.';

-- Leads only move forward, and out; lab.transitions has the same.
create function campaigns.move_lead(tenant uuid, lead uuid, event_kind text, at timestamptz) returns void
    language sql set search_path = pg_catalog
    begin atomic
        update campaigns.leads l
        set status = t.to_status, updated_at = at
        from lab.transitions t
        where l.tenant_id = tenant and l.id = lead
          and t.table_name = 'campaigns.leads' and t.from_status = l.status
          and t.to_status = case event_kind when 'opened' then 'engaged' when 'clicked' then 'engaged' else event_kind end;
    end;
comment on function campaigns.move_lead(uuid, uuid, text, timestamptz) is
    'lab_app: moves a lead along its contact lifecycle after an event.';

-- Thresholds as Warmbly has them, over a volume that means something.
create function campaigns.pause_if_harmful(tenant uuid, campaign uuid, at timestamptz) returns boolean
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    sent bigint;
    bounced bigint;
    complained bigint;
    reason text;
begin
    -- One at a time, and each counts what those before it counted.
    perform from campaigns.campaigns c
    where c.tenant_id = tenant and c.id = campaign and c.status = 'running' for no key update;
    if not found then
        return false;
    end if;
    select coalesce(sum(c.total) filter (where c.kind = 'sent'), 0),
           coalesce(sum(c.total) filter (where c.kind = 'bounced'), 0),
           coalesce(sum(c.total) filter (where c.kind = 'complained'), 0)
    into sent, bounced, complained
    from campaigns.counters c where c.tenant_id = tenant and c.campaign_id = campaign;
    reason := case when sent < 50 then null
                   when bounced * 100 >= sent * 8 then 'bounces'
                   when complained * 1000 >= sent * 15 then 'complaints' end;
    if reason is null then
        return false;
    end if;
    perform campaigns.pause_campaign(tenant, campaign, reason, at);
    return true;
end
$$;
comment on function campaigns.pause_if_harmful(uuid, uuid, timestamptz) is
    'lab_platform: pauses a running campaign of 50 sends or more at 8 % bounces or 1.5 % complaints, of which the outbox is told; returns whether it did.';

create function campaigns.record_event(
    tenant uuid, campaign uuid, lead uuid, step uuid, event_kind text, at timestamptz default now(), automatic boolean default false
) returns uuid
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    recorded uuid;
    mail record;
    address text;
begin
    if event_kind = 'sent' then
        raise exception 'a mail is sent by execute_step, not by an event' using errcode = 'invalid_parameter_value';
    end if;
    select x.email_account_id, x.executed_at into mail
    from campaigns.enrollments e
    join campaigns.step_executions x on x.tenant_id = e.tenant_id and x.enrollment_id = e.id and x.step_id = step
    where e.tenant_id = tenant and e.campaign_id = campaign and e.lead_id = lead
      and x.status = 'sent' and x.executed_at <= at
    order by x.rotation desc limit 1;
    if not found then
        raise exception 'step % was not sent to lead % in campaign % before %', step, lead, campaign, at
            using errcode = 'foreign_key_violation';
    end if;

    insert into campaigns.events (tenant_id, campaign_id, lead_id, step_id, email_account_id, kind, automatic, occurred_at)
    values (tenant, campaign, lead, step, mail.email_account_id, event_kind, automatic, at)
    returning id into recorded;
    perform campaigns.count(tenant, campaign, event_kind);
    if automatic then
        return recorded;  -- an out-of-office reply says nothing of the lead
    end if;

    if event_kind in ('bounced', 'complained') then
        -- First, since who ends a campaign locks it before its enrollments.
        perform campaigns.pause_if_harmful(tenant, campaign, at);
        perform infrastructure.record_delivery_outcome(
            tenant, mail.email_account_id, case event_kind when 'bounced' then 'hard_bounced' else event_kind end, at);
    end if;
    perform campaigns.move_lead(tenant, lead, event_kind, at);
    if event_kind = 'replied' then
        perform campaigns.stop_enrollments(tenant, lead, event_kind, at);
    elsif event_kind in ('bounced', 'complained', 'unsubscribed') then
        perform campaigns.stop_enrollments(tenant, lead, event_kind, at);
        select l.email_norm into address from campaigns.leads l where l.tenant_id = tenant and l.id = lead;
        perform campaigns.suppress(tenant, address, event_kind, null, at);
    end if;
    return recorded;
end
$$;
comment on function campaigns.record_event(uuid, uuid, uuid, uuid, text, timestamptz, boolean) is
    'lab_app: records what happened to a mail that was sent, and does what follows from it (bounces and complaints count for the infrastructure too, so they are lab_platform''s to report); returns the event.';

create function campaigns.unsubscribe(tenant uuid, campaign uuid, lead uuid, step uuid, at timestamptz default now()) returns uuid
    language sql set search_path = pg_catalog
    begin atomic select campaigns.record_event(tenant, campaign, lead, step, 'unsubscribed', at); end;
comment on function campaigns.unsubscribe(uuid, uuid, uuid, uuid, timestamptz) is
    'lab_app: one-click unsubscribe (RFC 8058): the lead is not written to again.';

-- Real time: what the warehouse tells some seconds or minutes later. An event is kept after it happened,
-- and its key begins with that time: so the primary key finds the last minutes without an index by time.
create view campaigns.live_metrics with (security_invoker = true) as
select counted.tenant_id, counted.campaign_id, counted.kind,
       coalesce(recent.events, 0) as last_15_minutes, counted.total, counted.forgotten
from (select c.tenant_id, c.campaign_id, c.kind, sum(c.total)::bigint as total, sum(c.forgotten)::bigint as forgotten
      from campaigns.counters c
      group by c.tenant_id, c.campaign_id, c.kind) as counted
left join (select e.tenant_id, e.campaign_id, e.kind, count(*) as events
           from campaigns.events e
           where e.id >= lab.first_uuid_of(now() - interval '16 minutes')  -- clocks may differ a little
             and e.occurred_at > now() - interval '15 minutes'
           group by e.tenant_id, e.campaign_id, e.kind) as recent using (tenant_id, campaign_id, kind);
comment on view campaigns.live_metrics is
    'What each campaign counts now, a row a kind of event: live counters, and the last quarter of an hour from the events themselves.';
comment on column campaigns.live_metrics.tenant_id is 'The tenant.';
comment on column campaigns.live_metrics.campaign_id is 'The campaign.';
comment on column campaigns.live_metrics.kind is 'Kind of event.';
comment on column campaigns.live_metrics.last_15_minutes is 'Events that happened in the last 15 minutes.';
comment on column campaigns.live_metrics.total is 'Events ever.';
comment on column campaigns.live_metrics.forgotten is 'Of these, events that are not kept any more: of an erased lead, or too old.';
grant select on campaigns.live_metrics to lab_app, lab_platform, lab_analytics;

-- All but the workers' own; those of the next file follow there.
revoke execute on all functions in schema campaigns from public;
grant execute on all functions in schema campaigns to lab_app;
revoke execute on function campaigns.expire_suppressions(integer, timestamptz),
    campaigns.pause_if_harmful(uuid, uuid, timestamptz),
    campaigns.start_scheduled_campaigns(integer, timestamptz) from lab_app;

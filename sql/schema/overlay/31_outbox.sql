-- What others are told of: triggers write the outbox in the transaction of what happened, so that there is
-- one way to it, whoever changes the row. A topic that is a kind of notification is told to users.
-- Nobody is woken: a transaction that has notified cannot be prepared, and notifying ones commit one after the
-- other, under a lock of the whole server. The relay looks instead.

create function lab.publish_campaign() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    insert into integration.outbox (tenant_id, topic, payload, created_at)
    values (new.tenant_id,
            'campaign.' || case when new.status = 'running' and old.started_at is null and old.status <> 'paused' then 'started'
                                when new.status = 'running' then 'resumed'
                                when new.status = 'paused' and new.pause_reason in ('bounces', 'complaints') then 'auto_paused'
                                else new.status end,
            jsonb_build_object('campaign_id', new.id, 'name', new.name, 'from', old.status, 'reason', new.pause_reason),
            new.updated_at);
    return null;
end
$$;
comment on function lab.publish_campaign() is 'Tells of a campaign''s change of status.';
create trigger publish after update of status on campaigns.campaigns for each row
    when (old.status is distinct from new.status) execute function lab.publish_campaign();

create function lab.publish_domain() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    insert into integration.outbox (tenant_id, topic, payload, created_at)
    values (new.tenant_id, case new.status when 'verified' then 'domain.verified' else 'domain.drifted' end,
            jsonb_build_object('domain_id', new.id, 'name', new.name_norm), new.updated_at);
    return null;
end
$$;
comment on function lab.publish_domain() is 'Tells that a domain was verified, or is no longer.';
create trigger publish after update of status on infrastructure.domains for each row
    when (old.status is distinct from new.status and (new.status = 'verified' or old.status = 'verified' and new.status = 'failing'))
    execute function lab.publish_domain();

create function lab.publish_account() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    insert into integration.outbox (tenant_id, topic, payload, created_at)
    values (new.tenant_id, 'account.unhealthy',
            jsonb_build_object('account_id', new.id, 'name', new.address_norm, 'from', old.health, 'health', new.health),
            new.updated_at);
    return null;
end
$$;
comment on function lab.publish_account() is 'Tells that bounces or complaints put an account into a worse band.';
create trigger publish after update of health on infrastructure.email_accounts for each row
    when (array_position('{throttled,quarantined,blocked}'::text[], new.health)
          > coalesce(array_position('{throttled,quarantined,blocked}'::text[], old.health), 0))
    execute function lab.publish_account();

create function lab.publish_payment() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    insert into integration.outbox (tenant_id, topic, payload, created_at)
    values (new.tenant_id, 'billing.payment_failed',
            jsonb_build_object('payment_id', new.payment_id, 'attempt_id', new.id, 'reason', new.failure_code),
            new.finished_at);
    return null;
end
$$;
comment on function lab.publish_payment() is 'Tells that an attempt at a payment failed.';
create trigger publish after update of status on billing.payment_attempts for each row
    when (old.status is distinct from new.status and new.status = 'failed') execute function lab.publish_payment();

-- The event's key is made from what it tells, so that users are told of it once: a count may cross the line
-- again after it was given back.
create function lab.publish_limit() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    kind constant text := case when new.used >= new.maximum then 'billing.limit_reached' else 'billing.limit_near' end;
begin
    insert into integration.outbox (tenant_id, id, topic, payload)
    values (new.tenant_id,
            md5(concat_ws(' ', kind, new.tenant_id, new.feature_key, extract(epoch from new.period_end), new.maximum))::uuid,
            kind,
            jsonb_build_object('feature', new.feature_key, 'used', new.used, 'maximum', new.maximum))
    on conflict do nothing;
    return null;
end
$$;
comment on function lab.publish_limit() is 'Tells that 80 %, or all, of a limit is used, once a period and maximum.';
create trigger publish after update of used on billing.usage_counters for each row
    when (new.maximum > 0 and (old.used < new.maximum and new.used >= new.maximum
                               or old.used < new.maximum - new.maximum / 5 and new.used >= new.maximum - new.maximum / 5))
    execute function lab.publish_limit();

-- The slice: tenants of the run's own, named load:RUN, with a subscription each. They live from February
-- 2021 on, by a clock that runs faster than ours, so that periods end and failed payments are tried again
-- within seconds; and before anything of the sample data is due, so that the workers of the run, which
-- look for what is due across tenants, find its own alone. teardown.sql removes them.

-- name: tables (administrator)
-- What is noted beside each answer, a row a session where many would wait for one another.
create table scratch_load.accounts (tenant_id uuid primary key);
create table scratch_load.life (began timestamptz not null, days_a_second float8 not null);
create table scratch_load.consumption (
    tenant_id   uuid,
    feature_key text,
    session     integer,
    granted     bigint not null default 0,
    released    bigint not null default 0,
    overshot    bigint not null default 0,  -- grants that left more used than there was
    primary key (tenant_id, feature_key, session)
) with (fillfactor = 50);
-- What the payment provider was asked for and has taken: it knows a key, and takes the money once.
create table scratch_load.charges (
    session         integer not null,
    tenant_id       uuid not null,
    invoice_id      uuid not null,
    attempt_id      uuid not null,
    idempotency_key text not null,
    amount_cents    bigint not null
);
create index charges_session_idx on scratch_load.charges (session);
create table scratch_load.captures (
    tenant_id       uuid not null,
    idempotency_key text,
    invoice_id      uuid not null,
    amount_cents    bigint not null,
    primary key (tenant_id, idempotency_key)
);
grant select, insert, update on scratch_load.consumption to lab_app;
grant select, insert, update, delete on all tables in schema scratch_load to lab_platform;

-- name: life
insert into scratch_load.life (began, days_a_second) values (now(), %(days_a_second)s);

-- name: lookups (administrator)
-- An account's number is in its tenant's id: nothing is looked up. The clock stands still before it comes
-- to the sample data.
do $$
begin
    execute format(
        'create function scratch_load.account(account integer) returns uuid language sql immutable '
        'parallel safe return (%L || lpad(to_hex(account), 12, ''0''))::uuid',
        left(public.uuid_generate_v7()::text, 24));
    execute (select format(
        'create function scratch_load.clock() returns timestamptz language sql volatile '
        'return least(timestamptz %L + (clock_timestamp() - %L) * float8 %L, %L)',
        '2021-02-01 00:00:00+00', l.began, 86400 * l.days_a_second, '2024-06-01 00:00:00+00')
        from scratch_load.life l);
end
$$;

-- name: answers (administrator)
create function scratch_load.hold(tenant uuid, feature text, amount bigint, overshot integer, session integer)
    returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    insert into scratch_load.consumption as c (tenant_id, feature_key, session, granted, overshot)
    values (tenant, feature, hold.session, amount, hold.overshot)
    on conflict on constraint consumption_pkey
        do update set granted = c.granted + excluded.granted, overshot = c.overshot + excluded.overshot;
end
$$;

create function scratch_load.consume(tenant uuid, feature text, amount bigint, session integer) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    answer record;
begin
    select * into answer from billing.consume_limit(tenant, feature, amount, scratch_load.clock());
    if answer.allowed then
        perform scratch_load.hold(tenant, feature, amount, case when answer.used > answer.maximum then 1 else 0 end, session);
    end if;
    return scratch_load.note('consume ' || feature, coalesce(answer.refusal, 'granted'), session);
end
$$;

-- A session gives back no more than it was granted.
create function scratch_load.release(tenant uuid, feature text, amount bigint, session integer) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    update scratch_load.consumption c set released = c.released + amount
    where c.tenant_id = tenant and c.feature_key = feature and c.session = release.session
      and c.granted - c.released >= amount;
    if not found then
        return scratch_load.note('release ' || feature, 'holds too little', session);
    end if;
    perform billing.release_limit(tenant, feature, amount, scratch_load.clock());
    return scratch_load.note('release ' || feature, 'released', session);
end
$$;

-- Who has no subscription (any more) takes one.
create function scratch_load.change_plan(tenant uuid, plan text, session integer) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    at constant timestamptz := scratch_load.clock();
    answer record;
begin
    begin
        select * into answer from billing.change_plan(tenant, plan, at => at);
        return scratch_load.note('change_plan', case
            when answer.invoice_id is not null then 'invoiced'
            when answer.effective_at > at then 'scheduled' else 'changed' end, session);
    exception
        when no_data_found then
            perform billing.create_subscription(tenant, plan, 'month', 'pm_load', at => scratch_load.clock());
            return scratch_load.note('change_plan', 'subscribed', session);
    end;
exception
    when object_not_in_prerequisite_state or unique_violation then
        return scratch_load.note('change_plan', 'refused', session);
end
$$;

create function scratch_load.set_add_on(tenant uuid, add_on text, wanted integer, session integer) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    at constant timestamptz := scratch_load.clock();
    answer record;
begin
    select * into answer from billing.set_add_on(tenant, add_on, wanted, at);
    return scratch_load.note('set_add_on', case
        when answer.invoice_id is not null then 'invoiced'
        when answer.effective_at > at then 'scheduled' else 'changed' end, session);
exception
    when object_not_in_prerequisite_state or no_data_found then
        return scratch_load.note('set_add_on', 'refused', session);
end
$$;

create function scratch_load.cancel_or_resume(tenant uuid, session integer) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    begin
        perform billing.cancel_subscription(tenant, at => scratch_load.clock());
        return scratch_load.note('cancel_or_resume', 'to be canceled', session);
    exception
        when object_not_in_prerequisite_state then
            perform billing.resume_subscription(tenant, at => scratch_load.clock());
            return scratch_load.note('cancel_or_resume', 'resumed', session);
    end;
exception
    when object_not_in_prerequisite_state or no_data_found then
        return scratch_load.note('cancel_or_resume', 'refused', session);
end
$$;

-- The provider: declines one charge in ten, and asked again with a key, answers as it did.
create function scratch_load.charge(c scratch_load.charges) returns boolean
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    if hashtext(c.idempotency_key) % 10 = 0 then
        return false;
    end if;
    insert into scratch_load.captures (tenant_id, idempotency_key, invoice_id, amount_cents)
    values (c.tenant_id, c.idempotency_key, c.invoice_id, c.amount_cents)
    on conflict do nothing;
    return true;
end
$$;

-- name: accounts
with made as (
    insert into public.tenants (id, name, status)
    select scratch_load.account(n), 'load:' || %(run_id)s, 'active'
    from generate_series(1, %(accounts)s) as n
    returning id
)
insert into scratch_load.accounts (tenant_id) select id from made;

-- name: subscriptions
-- Of all plans; periods end all over the month, each tenth account is on trial.
select billing.create_subscription(
    scratch_load.account(n),
    (array['free', 'starter', 'starter', 'growth', 'growth', 'growth', 'scale', 'enterprise'])[1 + n %% 8],
    case when n %% 11 = 0 then 'year' else 'month' end, 'pm_load', n %% 10 = 0,
    scratch_load.clock() - make_interval(hours => 1 + n %% 28 * case when n %% 10 = 0 then 12 else 24 end))
from generate_series(1, %(accounts)s) as n;

-- name: first_payments
select billing.finish_payment(c.tenant_id, c.attempt_id, true, null, null, scratch_load.clock())
from billing.claim_payments(%(accounts)s, scratch_load.clock()) as c;

-- name: captures
insert into scratch_load.captures (tenant_id, idempotency_key, invoice_id, amount_cents)
select a.tenant_id, a.idempotency_key, p.invoice_id, p.amount_cents
from generate_series(1, %(accounts)s) as n
join billing.payment_attempts a on a.tenant_id = scratch_load.account(n)
join billing.payments p on p.tenant_id = a.tenant_id and p.id = a.payment_id
where a.status = 'succeeded';

-- name: edges
-- A limit that stays what it is whatever the plan.
select billing.set_override(scratch_load.account(n), 'leads', 20, 'The edge of a load run.', at => scratch_load.clock())
from generate_series(1, %(edges)s) as n;

-- Money that moves: payments by attempts with idempotency keys, retries, refunds.

create function billing.begin_payment(tenant uuid, invoice uuid, key text, method text,
        at timestamptz default now(),
        out attempt_id uuid, out status text, out replayed boolean, out refusal text)
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    v billing.invoices;
    earlier record;
    payment uuid;
begin
    select * into v from billing.invoices i where i.tenant_id = tenant and i.id = invoice;
    if not found then
        raise exception 'there is no invoice %', invoice using errcode = 'no_data_found';
    end if;
    perform from billing.subscriptions s
    where s.tenant_id = tenant and s.id = v.subscription_id for no key update;
    update billing.payment_attempts a set idempotency_key = null
    where a.tenant_id = tenant and a.idempotency_key = key and a.created_at <= at - interval '24 hours';
    select a.id, a.status, a.payment_method, p.invoice_id into earlier
    from billing.payment_attempts a
    join billing.payments p on p.tenant_id = a.tenant_id and p.id = a.payment_id
    where a.tenant_id = tenant and a.idempotency_key = key;
    replayed := found;
    if replayed then
        if (earlier.invoice_id, earlier.payment_method) is distinct from (invoice, method) then
            raise exception 'idempotency key % was used for invoice % with %', key, earlier.invoice_id, earlier.payment_method
                using errcode = 'invalid_parameter_value', hint = 'a key names one request';
        end if;
        attempt_id := earlier.id;
        status := earlier.status;
        return;
    end if;
    select * into v from billing.invoices i where i.tenant_id = tenant and i.id = invoice;
    if v.status not in ('open', 'uncollectible') then
        refusal := 'invoice_' || v.status;
        return;
    end if;
    insert into billing.payments as p (tenant_id, invoice_id, amount_cents, created_at)
    values (tenant, invoice, v.total_cents, at)
    on conflict (tenant_id, invoice_id) do update set status = 'pending', updated_at = now() where p.status = 'failed'
    returning p.id into payment;
    if not found then
        refusal := 'payment_pending';
        return;
    end if;
    insert into billing.payment_attempts as a (tenant_id, payment_id, idempotency_key, payment_method, created_at)
    values (tenant, payment, key, method, at)
    returning a.id, a.status into attempt_id, status;
end
$$;
comment on function billing.begin_payment(uuid, uuid, text, text, timestamptz) is
    'lab_platform: begins an attempt at paying an invoice, or finds the one begun with that key; the same key with another request raises. Refusals: invoice_paid, invoice_void, payment_pending.';

create function billing.fail_invoice(s billing.subscriptions, invoice uuid, at timestamptz) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    retry timestamptz;
begin
    -- After 1, 3, 5 and 7 days; a first invoice waits for its customer, and a canceled one for ever.
    update billing.invoices v
    set attempts = v.attempts + 1, updated_at = now(),
        next_attempt_at = case when v.status = 'open' and s.status not in ('incomplete', 'canceled')
            then at + make_interval(days => (array[1, 3, 5, 7])[v.attempts + 1]) end
    where v.tenant_id = s.tenant_id and v.id = invoice
    returning v.next_attempt_at into retry;
    if s.status in ('trialing', 'active') then
        perform billing.move_subscription(s.tenant_id, s.id, 'past_due', at);
    end if;
    if retry is null and s.status in ('trialing', 'active', 'past_due') then
        perform billing.move_subscription(s.tenant_id, s.id, 'unpaid', at);
    end if;
end
$$;
comment on function billing.fail_invoice(billing.subscriptions, uuid, timestamptz) is
    'lab_platform: what follows from a failed attempt for a locked subscription: when to try again, past_due, in the end unpaid.';

create function billing.settle_subscription(s billing.subscriptions, at timestamptz) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    if s.status in ('incomplete', 'past_due', 'unpaid') and not exists (
        select from billing.invoices v
        where v.tenant_id = s.tenant_id and v.subscription_id = s.id and v.status = 'open')
    then
        perform billing.move_subscription(s.tenant_id, s.id, 'active', at);
    end if;
end
$$;
comment on function billing.settle_subscription(billing.subscriptions, timestamptz) is
    'lab_platform: a locked subscription that waited for money is active as soon as none of its invoices is open.';

create function billing.close_invoice(tenant uuid, invoice uuid, wanted text, at timestamptz default now()) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    s billing.subscriptions;
begin
    select sub.* into s
    from billing.invoices v
    join billing.subscriptions sub on sub.tenant_id = v.tenant_id and sub.id = v.subscription_id
    where v.tenant_id = tenant and v.id = invoice
    for no key update of sub;
    if not found then
        raise exception 'there is no invoice %', invoice using errcode = 'no_data_found';
    elsif wanted not in ('void', 'uncollectible') then
        raise exception 'an invoice is made void or uncollectible by hand, not %', wanted
            using errcode = 'invalid_parameter_value';
    elsif s.status = 'incomplete' then
        raise exception 'the first invoice of a subscription is paid or expires'
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    update billing.invoices v set status = wanted, closed_at = at, next_attempt_at = null, updated_at = now()
    where v.tenant_id = tenant and v.id = invoice;
    perform billing.settle_subscription(s, at);
end
$$;
comment on function billing.close_invoice(uuid, uuid, text, timestamptz) is
    'lab_platform: gives up an invoice: void as if it had never been, uncollectible as a loss.';

create function billing.finish_payment(tenant uuid, attempt uuid, succeeded boolean, new_provider_id text default null,
        failure text default null, at timestamptz default now()) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    s billing.subscriptions;
    a billing.payment_attempts;
    p billing.payments;
    invoice_status text;
begin
    select pay.* into p
    from billing.payment_attempts tried
    join billing.payments pay on pay.tenant_id = tried.tenant_id and pay.id = tried.payment_id
    where tried.tenant_id = tenant and tried.id = attempt;
    if not found then
        raise exception 'there is no payment attempt %', attempt using errcode = 'no_data_found';
    end if;
    select sub.* into s
    from billing.invoices v
    join billing.subscriptions sub on sub.tenant_id = v.tenant_id and sub.id = v.subscription_id
    where v.tenant_id = tenant and v.id = p.invoice_id
    for no key update of sub;
    select * into a from billing.payment_attempts tried where tried.tenant_id = tenant and tried.id = attempt;
    if a.status = 'succeeded' or a.status = 'failed' and not succeeded then
        return a.status;  -- told again, or told late: a success is final
    end if;
    update billing.payment_attempts tried
    set status = case when succeeded then 'succeeded' else 'failed' end,
        failure_code = case when not succeeded then coalesce(failure, 'unknown') end, finished_at = at
    where tried.tenant_id = tenant and tried.id = attempt;
    update billing.payments pay
    set status = case when succeeded then 'succeeded' else 'failed' end, succeeded_at = case when succeeded then at end,
        provider_id = coalesce(new_provider_id, pay.provider_id), updated_at = now()
    where pay.tenant_id = tenant and pay.id = p.id;
    if not succeeded then
        perform billing.fail_invoice(s, p.invoice_id, at);
        return 'failed';
    end if;
    update billing.invoices v set status = 'paid', closed_at = at, next_attempt_at = null, updated_at = now()
    where v.tenant_id = tenant and v.id = p.invoice_id and v.status in ('open', 'uncollectible');
    if not found then  -- it was void by the time the money came
        perform billing.refund_payment(tenant, p.id, p.amount_cents, 'void:' || p.id, 'the invoice was void', at);
    else
        perform billing.settle_subscription(s, at);
    end if;
    return 'succeeded';
end
$$;
comment on function billing.finish_payment(uuid, uuid, boolean, text, text, timestamptz) is
    'lab_platform: records the result of an attempt, any number of times, with what follows for payment, invoice and subscription; returns what the result is.';

create function billing.claim_payments(batch integer default 100, at timestamptz default now(),
        lease interval default '10 minutes')
    returns table (tenant_id uuid, invoice_id uuid, attempt_id uuid, idempotency_key text, amount_cents bigint,
                   payment_method text)
    language plpgsql
    set search_path = pg_catalog
as $$
#variable_conflict use_column
declare
    due record;
    s billing.subscriptions;
    v billing.invoices;
begin
    for due in
        select i.tenant_id, i.id, i.subscription_id from billing.invoices i
        where i.next_attempt_at <= at order by i.next_attempt_at
    loop
        exit when batch <= 0;
        select * into s from billing.subscriptions sub
        where sub.tenant_id = due.tenant_id and sub.id = due.subscription_id for no key update skip locked;
        continue when not found;
        update billing.invoices i set next_attempt_at = at + lease, updated_at = now()
        where i.tenant_id = due.tenant_id and i.id = due.id and i.next_attempt_at <= at
        returning * into v;
        continue when not found;
        batch := batch - 1;
        -- One whose worker died is handed out again, under the same key.
        select a.id, a.idempotency_key, p.amount_cents, a.payment_method
        into attempt_id, idempotency_key, amount_cents, payment_method
        from billing.payments p
        join billing.payment_attempts a on a.tenant_id = p.tenant_id and a.payment_id = p.id and a.status = 'pending'
        where p.tenant_id = v.tenant_id and p.invoice_id = v.id;
        if not found and s.payment_method is null then
            perform billing.fail_invoice(s, v.id, at);
            continue;
        elsif not found then
            idempotency_key := format('%s/%s', v.id, v.attempts + 1);
            payment_method := s.payment_method;
            amount_cents := v.total_cents;
            select b.attempt_id into attempt_id
            from billing.begin_payment(v.tenant_id, v.id, claim_payments.idempotency_key, s.payment_method, at) b;
        end if;
        tenant_id := v.tenant_id;
        invoice_id := v.id;
        return next;
    end loop;
end
$$;
comment on function billing.claim_payments(integer, timestamptz, interval) is
    'lab_platform: begins the attempts that are due and hands them out to be charged, for the length of a lease. Any number of workers.';

create function billing.refund_payment(tenant uuid, payment uuid, amount bigint, key text, why text,
        at timestamptz default now(),
        out refund_id uuid, out status text, out replayed boolean, out refusal text)
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    p billing.payments;
    earlier billing.refunds;
begin
    select * into p from billing.payments pay where pay.tenant_id = tenant and pay.id = payment for no key update;
    if not found then
        raise exception 'there is no payment %', payment using errcode = 'no_data_found';
    end if;
    update billing.refunds r set idempotency_key = null
    where r.tenant_id = tenant and r.idempotency_key = key and r.created_at <= at - interval '24 hours';
    select * into earlier from billing.refunds r where r.tenant_id = tenant and r.idempotency_key = key;
    replayed := found;
    if replayed then
        if (earlier.payment_id, earlier.amount_cents) is distinct from (payment, amount) then
            raise exception 'idempotency key % was used to refund % of payment %', key, earlier.amount_cents, earlier.payment_id
                using errcode = 'invalid_parameter_value', hint = 'a key names one request';
        end if;
        refund_id := earlier.id;
        status := earlier.status;
        return;
    end if;
    refusal := case when p.status <> 'succeeded' then 'not_paid'
                    when p.refunded_cents + amount > p.amount_cents then 'exceeds_payment' end;
    if refusal is not null then
        return;
    end if;
    update billing.payments pay set refunded_cents = pay.refunded_cents + amount, updated_at = now()
    where pay.tenant_id = tenant and pay.id = payment;
    insert into billing.refunds as r (tenant_id, payment_id, idempotency_key, amount_cents, reason, created_at)
    values (tenant, payment, key, amount, why, at)
    returning r.id, r.status into refund_id, status;
end
$$;
comment on function billing.refund_payment(uuid, uuid, bigint, text, text, timestamptz) is
    'lab_platform: begins to give money back, or finds the refund begun with that key; the same key with another request raises. Refusals: not_paid, exceeds_payment.';

create function billing.finish_refund(tenant uuid, refund uuid, succeeded boolean, new_provider_id text default null,
        at timestamptz default now()) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    r billing.refunds;
begin
    select * into r from billing.refunds due where due.tenant_id = tenant and due.id = refund for no key update;
    if not found then
        raise exception 'there is no refund %', refund using errcode = 'no_data_found';
    end if;
    if r.status = 'failed' or r.status = 'succeeded' and succeeded then
        return r.status;  -- told again, or told late: a failure is final
    end if;
    update billing.refunds done
    set status = case when succeeded then 'succeeded' else 'failed' end, finished_at = at,
        provider_id = coalesce(new_provider_id, done.provider_id)
    where done.tenant_id = tenant and done.id = refund;
    if not succeeded then
        update billing.payments p set refunded_cents = p.refunded_cents - r.amount_cents, updated_at = now()
        where p.tenant_id = tenant and p.id = r.payment_id;
        return 'failed';
    end if;
    return 'succeeded';
end
$$;
comment on function billing.finish_refund(uuid, uuid, boolean, text, timestamptz) is
    'lab_platform: records the result of a refund, any number of times; a failed one can be refunded again. Returns what the result is.';

revoke execute on all functions in schema billing from public;
grant execute on function billing.begin_payment(uuid, uuid, text, text, timestamptz),
    billing.fail_invoice(billing.subscriptions, uuid, timestamptz),
    billing.settle_subscription(billing.subscriptions, timestamptz),
    billing.close_invoice(uuid, uuid, text, timestamptz),
    billing.finish_payment(uuid, uuid, boolean, text, text, timestamptz),
    billing.claim_payments(integer, timestamptz, interval),
    billing.refund_payment(uuid, uuid, bigint, text, text, timestamptz),
    billing.finish_refund(uuid, uuid, boolean, text, timestamptz) to lab_platform;

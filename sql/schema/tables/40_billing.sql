-- What is sold, who subscribes to it, what they owe and paid, and how much they may use.
-- All money is US cents.

create schema billing;

-- The catalog: shared by all tenants, so no tenant table refers to it by a foreign key.

create table billing.features (
    key     text not null,
    kind    text not null,
    period  text,
    purpose text not null,
    constraint features_pkey primary key (key),
    constraint features_kind_check check (kind in ('metered', 'static', 'boolean')),
    constraint features_period_check check (period is null or period = 'month' and kind = 'metered')
);
comment on table billing.features is 'What a plan can grant.';
comment on column billing.features.key is 'Name that code asks for, such as emails_per_month.';
comment on column billing.features.kind is 'metered (counted against a maximum), static (a number that is read) or boolean (0 or 1).';
comment on column billing.features.period is 'month: the count starts again with each calendar month (UTC), which no change of plan can reset; null: a current count, or not metered.';
comment on column billing.features.purpose is 'What it grants.';

create table billing.products (
    key        text not null,
    kind       text not null,
    name       text not null,
    rank       integer,
    trial_days integer not null default 0,
    constraint products_pkey primary key (key),
    constraint products_rank_key unique (rank),
    constraint products_kind_check check (kind in ('plan', 'add_on')),
    constraint products_rank_check check ((kind = 'plan') = (rank is not null)),
    constraint products_trial_days_check check (trial_days >= 0)
);
comment on table billing.products is 'Plans (a subscription has exactly one) and add-ons (any number).';
comment on column billing.products.key is 'Name that code asks for, such as growth.';
comment on column billing.products.kind is 'plan or add_on.';
comment on column billing.products.name is 'Name that customers see.';
comment on column billing.products.rank is 'Order of the plans: a move to a higher rank is an upgrade; null for add-ons.';
comment on column billing.products.trial_days is 'Length of the trial that a tenant''s first subscription begins with; 0: none.';

create table billing.product_features (
    product_key text not null,
    feature_key text not null,
    value       bigint,
    constraint product_features_pkey primary key (product_key, feature_key),
    constraint product_features_product_fkey foreign key (product_key) references billing.products (key),
    constraint product_features_feature_fkey foreign key (feature_key) references billing.features (key),
    constraint product_features_value_check check (value >= 0)
);
create index product_features_feature_idx on billing.product_features (feature_key);
comment on index billing.product_features_feature_idx is 'The foreign key to features; who grants a feature (billing.set_limit).';
comment on table billing.product_features is 'What a product grants; a feature that is not listed is not granted.';
comment on column billing.product_features.product_key is 'The plan or add-on.';
comment on column billing.product_features.feature_key is 'The feature.';
comment on column billing.product_features.value is 'Maximum, number or 0/1, for each unit of the product; null: unlimited.';

create table billing.prices (
    key          text not null,
    product_key  text not null,
    period       text not null,
    amount_cents bigint not null,
    active_from  timestamptz not null default now(),
    active_until timestamptz not null default 'infinity',
    constraint prices_pkey primary key (key),
    constraint prices_active_key unique (product_key, period, active_from),
    constraint prices_product_fkey foreign key (product_key) references billing.products (key),
    constraint prices_period_check check (period in ('month', 'year')),
    constraint prices_amount_check check (amount_cents >= 0),
    constraint prices_active_check check (active_from < active_until)
);
comment on table billing.prices is 'What a unit of a product costs for a period. A price never changes: a new one takes its place, and who has the old one keeps it.';
comment on column billing.prices.key is 'product.period.version, such as growth.month.2.';
comment on column billing.prices.product_key is 'The plan or add-on.';
comment on column billing.prices.period is 'What is paid for at once: month or year.';
comment on column billing.prices.amount_cents is 'Price of one unit.';
comment on column billing.prices.active_from is 'From when it is offered.';
comment on column billing.prices.active_until is 'Until when it is offered.';

-- What must be unique across tenants lives in platform tables.

create table billing.customers (
    provider_id     text not null,
    owner_tenant_id uuid not null,
    created_at      timestamptz not null default now(),
    mirrored_at     timestamptz,
    constraint customers_pkey primary key (provider_id),
    constraint customers_owner_key unique (owner_tenant_id)
);
comment on table billing.customers is 'Whose customer at the payment provider is whose: what routes a webhook to its tenant.';
comment on column billing.customers.provider_id is 'The provider''s id, such as cus_123.';
comment on column billing.customers.owner_tenant_id is 'The tenant; no foreign key from a platform table.';
comment on column billing.customers.created_at is 'When the two were linked.';
comment on column billing.customers.mirrored_at is 'When that was asked for which is here of what the provider bills the tenant; null: the tenant is billed here, and the provider only charges.';

create table billing.webhook_events (
    id              text not null,
    type            text not null,
    status          text not null default 'pending',
    owner_tenant_id uuid,
    payload         jsonb not null,
    occurred_at     timestamptz not null,
    received_at     timestamptz not null default now(),
    attempts        integer not null default 0,
    retry_at        timestamptz not null default now(),
    processed_at    timestamptz,
    outcome         text,
    constraint webhook_events_pkey primary key (id),
    constraint webhook_events_status_check check (status in ('pending', 'processed', 'failed')),
    constraint webhook_events_attempts_check check (attempts >= 0),
    constraint webhook_events_processed_check check ((status = 'processed') = (processed_at is not null))
);
create index webhook_events_pending_idx on billing.webhook_events (retry_at) where status = 'pending';
comment on index billing.webhook_events_pending_idx is 'billing.claim_webhooks takes what is due.';
create index webhook_events_owner_idx on billing.webhook_events (owner_tenant_id);
comment on index billing.webhook_events_owner_idx is 'tenancy.purge_tenant.';
comment on table billing.webhook_events is 'The inbox of the payment provider''s events: each is kept once, however often it is delivered.';
comment on column billing.webhook_events.id is 'The provider''s id of the event, such as evt_123; what makes a duplicate harmless.';
comment on column billing.webhook_events.type is 'Such as payment_intent.succeeded.';
comment on column billing.webhook_events.status is 'pending (to be processed, perhaps again), processed or failed (given up, until it is retried by hand).';
comment on column billing.webhook_events.owner_tenant_id is 'The tenant it concerns, once its customer is known.';
comment on column billing.webhook_events.payload is 'The event as it was delivered.';
comment on column billing.webhook_events.occurred_at is 'When the provider made it, in whole seconds.';
comment on column billing.webhook_events.received_at is 'When it was first delivered.';
comment on column billing.webhook_events.attempts is 'How often processing it failed.';
comment on column billing.webhook_events.retry_at is 'From when it may be taken to be processed; until then it waits, or somebody is at it.';
comment on column billing.webhook_events.processed_at is 'When it was processed.';
comment on column billing.webhook_events.outcome is 'applied, stale or ignored; of a failure, its message.';

-- Subscriptions.

create table billing.subscriptions (
    tenant_id            uuid not null,
    id                   uuid not null default public.uuid_generate_v7(),
    status               text not null,
    plan_key             text not null,
    period               text not null,
    provider_id          text,
    payment_method       text,
    started_at           timestamptz not null,
    anchor_at            timestamptz not null,
    period_start         timestamptz not null,
    period_end           timestamptz not null,
    trial_ends_at        timestamptz,
    cancel_at_period_end boolean not null default false,
    canceled_at          timestamptz,
    ended_at             timestamptz,
    -- "at time zone" makes both additions immutable, which a generated column must be
    due_at               timestamptz generated always as (case
        when status = 'incomplete' then (started_at at time zone 'UTC' + interval '23 hours') at time zone 'UTC'
        when status in ('trialing', 'active') then period_end
    end) stored,
    mrr_cents            bigint not null default 0,
    created_at           timestamptz not null default now(),
    updated_at           timestamptz not null default now(),
    change_xid           bigint,
    constraint subscriptions_pkey primary key (tenant_id, id),
    constraint subscriptions_provider_key unique (tenant_id, provider_id),
    constraint subscriptions_tenant_fkey foreign key (tenant_id) references public.tenants (id),
    constraint subscriptions_status_check check (status in ('incomplete', 'incomplete_expired',
        'trialing', 'active', 'past_due', 'canceled', 'unpaid', 'paused')),
    constraint subscriptions_period_check check (period in ('month', 'year')),
    constraint subscriptions_period_order_check check (period_start < period_end),
    constraint subscriptions_ended_check
        check ((status in ('canceled', 'incomplete_expired')) = (ended_at is not null)),
    constraint subscriptions_trial_check check (status <> 'trialing' or trial_ends_at is not null),
    constraint subscriptions_mrr_check check (mrr_cents >= 0)
) with (fillfactor = 80);
create unique index subscriptions_live_key on billing.subscriptions (tenant_id) where ended_at is null;
comment on index billing.subscriptions_live_key is 'A tenant has one live subscription: billing.current_plan, billing.entitlements, every change.';
create index subscriptions_due_idx on billing.subscriptions (due_at) where due_at is not null;
comment on index billing.subscriptions_due_idx is 'billing.advance_subscriptions finds what is due, across tenants.';
comment on table billing.subscriptions is 'A tenant''s subscription, in Stripe''s states.';
comment on column billing.subscriptions.tenant_id is 'The tenant.';
comment on column billing.subscriptions.id is 'Key of the subscription. Locking its row serialises all that concerns the tenant''s money.';
comment on column billing.subscriptions.status is 'incomplete, incomplete_expired, trialing, active, past_due, canceled, unpaid or paused; trialing, active and past_due give access.';
comment on column billing.subscriptions.plan_key is 'Product of the live plan item, repeated here because every request asks for it.';
comment on column billing.subscriptions.period is 'What is paid for at once, by all its items: month or year.';
comment on column billing.subscriptions.provider_id is 'The provider''s id, such as sub_123; null: the tenant is billed here.';
comment on column billing.subscriptions.payment_method is 'What the provider charges, such as pm_123; null: none is known.';
comment on column billing.subscriptions.started_at is 'When it was made.';
comment on column billing.subscriptions.anchor_at is 'What its periods are counted from, so that one begun on the 31st comes back to it.';
comment on column billing.subscriptions.period_start is 'Begin of the current period.';
comment on column billing.subscriptions.period_end is 'End of the current period.';
comment on column billing.subscriptions.trial_ends_at is 'When its trial ends or ended; null: it had none.';
comment on column billing.subscriptions.cancel_at_period_end is 'Whether it ends with the current period.';
comment on column billing.subscriptions.canceled_at is 'When cancellation was asked for.';
comment on column billing.subscriptions.ended_at is 'When it ended for good; null while it lives.';
comment on column billing.subscriptions.due_at is 'When time alone changes it: 23 hours after the start while incomplete, else the end of the period; null: never.';
comment on column billing.subscriptions.mrr_cents is 'What it brings a month: active and past due ones count, trials do not.';
comment on column billing.subscriptions.created_at is 'When it was created.';
comment on column billing.subscriptions.updated_at is 'When it last changed.';
comment on column billing.subscriptions.change_xid is 'Transaction that last inserted or updated the row.';

create table billing.subscription_items (
    tenant_id         uuid not null,
    id                uuid not null default public.uuid_generate_v7(),
    subscription_id   uuid not null,
    kind              text not null,
    product_key       text not null,
    price_key         text not null,
    unit_amount_cents bigint not null,
    quantity          integer not null,
    next_price_key    text,
    next_quantity     integer,
    started_at        timestamptz not null,
    ended_at          timestamptz,
    change_xid        bigint,
    constraint subscription_items_pkey primary key (tenant_id, id),
    constraint subscription_items_subscription_fkey foreign key (tenant_id, subscription_id)
        references billing.subscriptions (tenant_id, id),
    constraint subscription_items_kind_check check (kind in ('plan', 'add_on')),
    constraint subscription_items_amount_check check (unit_amount_cents >= 0),
    constraint subscription_items_quantity_check check (quantity > 0 and (kind = 'add_on' or quantity = 1)),
    constraint subscription_items_next_check
        check (next_quantity >= 0 and (next_quantity > 0) = (next_price_key is not null)),
    constraint subscription_items_order_check check (started_at <= ended_at)
);
create index subscription_items_subscription_idx on billing.subscription_items (tenant_id, subscription_id);
comment on index billing.subscription_items_subscription_idx is 'What a subscription consists of (billing.entitlements), and the foreign key to it.';
create unique index subscription_items_plan_key on billing.subscription_items (tenant_id, subscription_id)
    where ended_at is null and kind = 'plan';
comment on index billing.subscription_items_plan_key is 'A subscription has one plan (billing.change_plan).';
create unique index subscription_items_product_key on billing.subscription_items (tenant_id, subscription_id, product_key)
    where ended_at is null;
comment on index billing.subscription_items_product_key is 'A product is in a subscription once; more of it is a quantity (billing.set_add_on).';
comment on table billing.subscription_items is 'The plan and the add-ons of a subscription. Product, price and quantity of an item never change: another takes its place.';
comment on column billing.subscription_items.tenant_id is 'The tenant.';
comment on column billing.subscription_items.id is 'Key of the item.';
comment on column billing.subscription_items.subscription_id is 'The subscription.';
comment on column billing.subscription_items.kind is 'plan or add_on, as the product.';
comment on column billing.subscription_items.product_key is 'What was bought; no foreign key to a shared table.';
comment on column billing.subscription_items.price_key is 'At which price; no foreign key to a shared table.';
comment on column billing.subscription_items.unit_amount_cents is 'That price, for one unit and one period.';
comment on column billing.subscription_items.quantity is 'How many; 1 of a plan.';
comment on column billing.subscription_items.next_price_key is 'Price of what takes its place when the period ends (a downgrade).';
comment on column billing.subscription_items.next_quantity is 'Quantity of what takes its place when the period ends; 0: nothing does; null: it stays.';
comment on column billing.subscription_items.started_at is 'From when it is part of the subscription.';
comment on column billing.subscription_items.ended_at is 'Until when; null while it lives.';
comment on column billing.subscription_items.change_xid is 'Transaction that last inserted or updated the row.';

create table billing.subscription_changes (
    tenant_id       uuid not null,
    id              uuid not null default public.uuid_generate_v7(),
    subscription_id uuid not null,
    kind            text not null,
    status          text not null,
    plan_key        text not null,
    mrr_cents       bigint not null,
    mrr_delta_cents bigint not null,
    occurred_at     timestamptz not null,
    change_xid      bigint,
    constraint subscription_changes_pkey primary key (tenant_id, id),
    constraint subscription_changes_subscription_fkey foreign key (tenant_id, subscription_id)
        references billing.subscriptions (tenant_id, id),
    constraint subscription_changes_kind_check check (kind in ('created', 'status', 'plan', 'add_on',
        'scheduled', 'renewed', 'cancellation', 'resumed'))
);
create index subscription_changes_subscription_idx
    on billing.subscription_changes (tenant_id, subscription_id, occurred_at);
comment on index billing.subscription_changes_subscription_idx is 'The history of a subscription, and the foreign key to it.';
comment on table billing.subscription_changes is 'The history of subscriptions: a row for each change, never updated; what revenue reports add up.';
comment on column billing.subscription_changes.tenant_id is 'The tenant.';
comment on column billing.subscription_changes.id is 'Key of the change.';
comment on column billing.subscription_changes.subscription_id is 'The subscription.';
comment on column billing.subscription_changes.kind is 'created, status, plan, add_on, scheduled (for the end of the period), renewed, cancellation (asked for) or resumed.';
comment on column billing.subscription_changes.status is 'Status of the subscription afterwards.';
comment on column billing.subscription_changes.plan_key is 'Plan of the subscription afterwards.';
comment on column billing.subscription_changes.mrr_cents is 'What it brings a month afterwards.';
comment on column billing.subscription_changes.mrr_delta_cents is 'How much that changed.';
comment on column billing.subscription_changes.occurred_at is 'When it happened.';
comment on column billing.subscription_changes.change_xid is 'Transaction that last inserted or updated the row.';

-- What is owed.

create table billing.invoices (
    tenant_id       uuid not null,
    id              uuid not null default public.uuid_generate_v7(),
    subscription_id uuid not null,
    number          integer not null,
    reason          text not null,
    status          text not null,
    total_cents     bigint not null,
    issued_at       timestamptz not null,
    closed_at       timestamptz,
    attempts        integer not null default 0,
    next_attempt_at timestamptz,
    updated_at      timestamptz not null default now(),
    change_xid      bigint,
    constraint invoices_pkey primary key (tenant_id, id),
    constraint invoices_number_key unique (tenant_id, number),
    constraint invoices_subscription_fkey foreign key (tenant_id, subscription_id)
        references billing.subscriptions (tenant_id, id),
    constraint invoices_reason_check
        check (reason in ('subscription_create', 'subscription_cycle', 'subscription_update')),
    constraint invoices_status_check check (status in ('open', 'paid', 'void', 'uncollectible')),
    constraint invoices_total_check check (total_cents >= 0),
    constraint invoices_closed_check check ((status = 'open') = (closed_at is null)),
    constraint invoices_attempt_check check (status = 'open' or next_attempt_at is null)
);
create index invoices_subscription_idx on billing.invoices (tenant_id, subscription_id);
comment on index billing.invoices_subscription_idx is 'The open invoices of a subscription (billing.finish_payment), and the foreign key to it.';
create index invoices_due_idx on billing.invoices (next_attempt_at) where next_attempt_at is not null;
comment on index billing.invoices_due_idx is 'billing.claim_payments finds what is to be charged, across tenants.';
comment on table billing.invoices is 'What a tenant owes; complete when it is issued, and never changed but in status.';
comment on column billing.invoices.tenant_id is 'The tenant.';
comment on column billing.invoices.id is 'Key of the invoice.';
comment on column billing.invoices.subscription_id is 'The subscription.';
comment on column billing.invoices.number is 'Number within the tenant, from 1 and without gaps.';
comment on column billing.invoices.reason is 'subscription_create, subscription_cycle or subscription_update.';
comment on column billing.invoices.status is 'open, paid, void or uncollectible.';
comment on column billing.invoices.total_cents is 'Sum of its lines; never negative, since what would be is carried forward.';
comment on column billing.invoices.issued_at is 'When it was issued.';
comment on column billing.invoices.closed_at is 'When it was paid, voided or written off; null while open.';
comment on column billing.invoices.attempts is 'How many attempts at paying it failed.';
comment on column billing.invoices.next_attempt_at is 'When it is to be charged (again); null: not by itself.';
comment on column billing.invoices.updated_at is 'When it last changed.';
comment on column billing.invoices.change_xid is 'Transaction that last inserted or updated the row.';

create table billing.invoice_lines (
    tenant_id    uuid not null,
    id           uuid not null default public.uuid_generate_v7(),
    invoice_id   uuid not null,
    item_id      uuid,
    kind         text not null,
    amount_cents bigint not null,
    period_start timestamptz,
    period_end   timestamptz,
    change_xid   bigint,
    constraint invoice_lines_pkey primary key (tenant_id, id),
    constraint invoice_lines_invoice_fkey foreign key (tenant_id, invoice_id)
        references billing.invoices (tenant_id, id),
    constraint invoice_lines_item_fkey foreign key (tenant_id, item_id)
        references billing.subscription_items (tenant_id, id),
    constraint invoice_lines_kind_check check (kind in ('charge', 'credit', 'balance')),
    constraint invoice_lines_item_check check ((kind = 'balance') = (item_id is null)),
    constraint invoice_lines_sign_check check (case kind
        when 'charge' then amount_cents >= 0 when 'credit' then amount_cents <= 0 else true end)
);
create index invoice_lines_invoice_idx on billing.invoice_lines (tenant_id, invoice_id);
comment on index billing.invoice_lines_invoice_idx is 'The lines of an invoice, and the foreign key to it.';
create index invoice_lines_item_idx on billing.invoice_lines (tenant_id, item_id);
comment on index billing.invoice_lines_item_idx is 'What was billed for an item (billing.preview_change), and the foreign key to it.';
create index invoice_lines_balance_idx on billing.invoice_lines (tenant_id) where kind = 'balance';
comment on index billing.invoice_lines_balance_idx is 'The credit that a tenant has left (billing.credit_balance).';
comment on table billing.invoice_lines is 'What an invoice is made of; each line is rounded by itself.';
comment on column billing.invoice_lines.tenant_id is 'The tenant.';
comment on column billing.invoice_lines.id is 'Key of the line.';
comment on column billing.invoice_lines.invoice_id is 'The invoice.';
comment on column billing.invoice_lines.item_id is 'The item it is for; null on balance lines.';
comment on column billing.invoice_lines.kind is 'charge (time to come), credit (time paid for and not used) or balance (credit carried to later invoices when positive, used up when negative).';
comment on column billing.invoice_lines.amount_cents is 'Amount; negative reduces the invoice.';
comment on column billing.invoice_lines.period_start is 'From when the time counts; null on balance lines.';
comment on column billing.invoice_lines.period_end is 'Until when the time counts; null on balance lines.';
comment on column billing.invoice_lines.change_xid is 'Transaction that last inserted or updated the row.';

-- What was paid.

create table billing.payments (
    tenant_id      uuid not null,
    id             uuid not null default public.uuid_generate_v7(),
    invoice_id     uuid not null,
    amount_cents   bigint not null,
    refunded_cents bigint not null default 0,
    status         text not null default 'pending',
    provider_id    text,
    created_at     timestamptz not null,
    succeeded_at   timestamptz,
    updated_at     timestamptz not null default now(),
    change_xid     bigint,
    constraint payments_pkey primary key (tenant_id, id),
    constraint payments_invoice_key unique (tenant_id, invoice_id),
    constraint payments_invoice_fkey foreign key (tenant_id, invoice_id)
        references billing.invoices (tenant_id, id),
    constraint payments_status_check check (status in ('pending', 'succeeded', 'failed')),
    constraint payments_amount_check check (amount_cents > 0),
    constraint payments_refunded_check check (refunded_cents between 0 and amount_cents),
    constraint payments_succeeded_check check ((status = 'succeeded') = (succeeded_at is not null))
);
comment on table billing.payments is 'The payment of an invoice, in full, by one attempt or several (Stripe''s payment intent).';
comment on column billing.payments.tenant_id is 'The tenant.';
comment on column billing.payments.id is 'Key of the payment.';
comment on column billing.payments.invoice_id is 'The invoice; it is paid at most once.';
comment on column billing.payments.amount_cents is 'Amount, the invoice''s total.';
comment on column billing.payments.refunded_cents is 'How much of it is refunded or being refunded.';
comment on column billing.payments.status is 'pending, succeeded or failed (which another attempt may still change).';
comment on column billing.payments.provider_id is 'The provider''s id, such as pi_123.';
comment on column billing.payments.created_at is 'When it was first attempted.';
comment on column billing.payments.succeeded_at is 'When the money came.';
comment on column billing.payments.updated_at is 'When it last changed.';
comment on column billing.payments.change_xid is 'Transaction that last inserted or updated the row.';

create table billing.payment_attempts (
    tenant_id       uuid not null,
    id              uuid not null default public.uuid_generate_v7(),
    payment_id      uuid not null,
    idempotency_key text,
    payment_method  text not null,
    status          text not null default 'pending',
    failure_code    text,
    created_at      timestamptz not null,
    finished_at     timestamptz,
    change_xid      bigint,
    constraint payment_attempts_pkey primary key (tenant_id, id),
    constraint payment_attempts_idempotency_key unique (tenant_id, idempotency_key),
    constraint payment_attempts_payment_fkey foreign key (tenant_id, payment_id)
        references billing.payments (tenant_id, id),
    constraint payment_attempts_status_check check (status in ('pending', 'succeeded', 'failed')),
    constraint payment_attempts_failure_check check ((status = 'failed') = (failure_code is not null)),
    constraint payment_attempts_finished_check check ((status = 'pending') = (finished_at is null))
);
create index payment_attempts_payment_idx on billing.payment_attempts (tenant_id, payment_id);
comment on index billing.payment_attempts_payment_idx is 'The attempts of a payment, and the foreign key to it.';
create unique index payment_attempts_open_key on billing.payment_attempts (tenant_id, payment_id)
    where status in ('pending', 'succeeded');
comment on index billing.payment_attempts_open_key is 'Another attempt begins only when the last one failed (billing.begin_payment): nobody is charged twice.';
comment on table billing.payment_attempts is 'Each time a payment was tried.';
comment on column billing.payment_attempts.tenant_id is 'The tenant.';
comment on column billing.payment_attempts.id is 'Key of the attempt; the provider gets it as metadata and its events bring it back.';
comment on column billing.payment_attempts.payment_id is 'The payment.';
comment on column billing.payment_attempts.idempotency_key is 'The caller''s name for the attempt: the same key is the same attempt, for 24 hours. Null: the key was used again after that.';
comment on column billing.payment_attempts.payment_method is 'What is charged, such as pm_123.';
comment on column billing.payment_attempts.status is 'pending, succeeded or failed.';
comment on column billing.payment_attempts.failure_code is 'Why it failed, such as card_declined.';
comment on column billing.payment_attempts.created_at is 'When it began.';
comment on column billing.payment_attempts.finished_at is 'When its result came.';
comment on column billing.payment_attempts.change_xid is 'Transaction that last inserted or updated the row.';

create table billing.refunds (
    tenant_id       uuid not null,
    id              uuid not null default public.uuid_generate_v7(),
    payment_id      uuid not null,
    idempotency_key text,
    amount_cents    bigint not null,
    reason          text not null,
    status          text not null default 'pending',
    provider_id     text,
    created_at      timestamptz not null,
    finished_at     timestamptz,
    change_xid      bigint,
    constraint refunds_pkey primary key (tenant_id, id),
    constraint refunds_idempotency_key unique (tenant_id, idempotency_key),
    constraint refunds_payment_fkey foreign key (tenant_id, payment_id)
        references billing.payments (tenant_id, id),
    constraint refunds_amount_check check (amount_cents > 0),
    constraint refunds_status_check check (status in ('pending', 'succeeded', 'failed')),
    constraint refunds_finished_check check ((status = 'pending') = (finished_at is null))
);
create index refunds_payment_idx on billing.refunds (tenant_id, payment_id);
comment on index billing.refunds_payment_idx is 'The refunds of a payment, and the foreign key to it.';
comment on table billing.refunds is 'Money that goes back; pending and succeeded ones never exceed the payment.';
comment on column billing.refunds.tenant_id is 'The tenant.';
comment on column billing.refunds.id is 'Key of the refund; the provider gets it as metadata and its events bring it back.';
comment on column billing.refunds.payment_id is 'The payment.';
comment on column billing.refunds.idempotency_key is 'The caller''s name for the refund: the same key is the same refund, for 24 hours. Null: the key was used again after that.';
comment on column billing.refunds.amount_cents is 'How much goes back.';
comment on column billing.refunds.reason is 'Why.';
comment on column billing.refunds.status is 'pending, succeeded or failed.';
comment on column billing.refunds.provider_id is 'The provider''s id, such as re_123.';
comment on column billing.refunds.created_at is 'When it was asked for.';
comment on column billing.refunds.finished_at is 'When its result came.';
comment on column billing.refunds.change_xid is 'Transaction that last inserted or updated the row.';

-- What may be used, and what was.

create table billing.overrides (
    tenant_id   uuid not null,
    id          uuid not null default public.uuid_generate_v7(),
    feature_key text not null,
    value       bigint,
    reason      text not null,
    starts_at   timestamptz not null,
    ends_at     timestamptz not null default 'infinity',
    created_at  timestamptz not null default now(),
    change_xid  bigint,
    constraint overrides_pkey primary key (tenant_id, id),
    constraint overrides_start_key unique (tenant_id, feature_key, starts_at),
    constraint overrides_tenant_fkey foreign key (tenant_id) references public.tenants (id),
    constraint overrides_value_check check (value >= 0),
    constraint overrides_order_check check (starts_at < ends_at)
);
comment on table billing.overrides is 'What a tenant gets instead of what its plan and add-ons grant, for a time.';
comment on column billing.overrides.tenant_id is 'The tenant.';
comment on column billing.overrides.id is 'Key of the override.';
comment on column billing.overrides.feature_key is 'The feature; no foreign key to a shared table.';
comment on column billing.overrides.value is 'Maximum, number or 0/1; null: unlimited.';
comment on column billing.overrides.reason is 'Why.';
comment on column billing.overrides.starts_at is 'From when it holds.';
comment on column billing.overrides.ends_at is 'Until when it holds.';
comment on column billing.overrides.created_at is 'When it was created.';
comment on column billing.overrides.change_xid is 'Transaction that last inserted or updated the row.';

create table billing.usage_counters (
    tenant_id    uuid not null,
    id           uuid not null default public.uuid_generate_v7(),
    feature_key  text not null,
    period_start timestamptz not null,
    period_end   timestamptz not null,
    used         bigint not null default 0,
    maximum      bigint,
    valid_until  timestamptz not null,
    change_xid   bigint,
    constraint usage_counters_pkey primary key (tenant_id, id),
    constraint usage_counters_period_key unique (tenant_id, feature_key, period_end),
    constraint usage_counters_tenant_fkey foreign key (tenant_id) references public.tenants (id),
    constraint usage_counters_used_check check (used >= 0),
    constraint usage_counters_maximum_check check (maximum >= 0),
    constraint usage_counters_order_check check (period_start < period_end)
) with (fillfactor = 50);
comment on table billing.usage_counters is 'How much of a metered feature is used, and how much may be: both in one row, so that consuming is one conditional update.';
comment on column billing.usage_counters.tenant_id is 'The tenant.';
comment on column billing.usage_counters.id is 'Key of the counter.';
comment on column billing.usage_counters.feature_key is 'The feature; no foreign key to a shared table.';
comment on column billing.usage_counters.period_start is 'Begin of the month it counts; -infinity for a current count.';
comment on column billing.usage_counters.period_end is 'End of that month; infinity for a current count. The key, so that the running period is the first one that ends later.';
comment on column billing.usage_counters.used is 'How much is used; above the maximum only after that was lowered.';
comment on column billing.usage_counters.maximum is 'The entitlement, copied by whatever changes it (billing.refresh_limits); null: unlimited.';
comment on column billing.usage_counters.valid_until is 'Until when the copy holds: the next begin or end of an override.';
comment on column billing.usage_counters.change_xid is 'Transaction that last inserted or updated the row.';

-- Billing: state machines, what may not overlap, and the catalog of what is sold.

-- As Stripe moves its subscriptions; canceled and incomplete_expired are final.
insert into lab.transitions (table_name, from_status, to_status) values
    ('billing.subscriptions', 'incomplete', 'active'),
    ('billing.subscriptions', 'incomplete', 'incomplete_expired'),
    ('billing.subscriptions', 'trialing', 'active'),
    ('billing.subscriptions', 'trialing', 'past_due'),
    ('billing.subscriptions', 'trialing', 'paused'),
    ('billing.subscriptions', 'trialing', 'canceled'),
    ('billing.subscriptions', 'active', 'past_due'),
    ('billing.subscriptions', 'active', 'canceled'),
    ('billing.subscriptions', 'past_due', 'active'),
    ('billing.subscriptions', 'past_due', 'unpaid'),
    ('billing.subscriptions', 'past_due', 'canceled'),
    ('billing.subscriptions', 'unpaid', 'active'),
    ('billing.subscriptions', 'unpaid', 'canceled'),
    ('billing.subscriptions', 'paused', 'active'),
    ('billing.subscriptions', 'paused', 'canceled'),
    ('billing.invoices', 'open', 'paid'),
    ('billing.invoices', 'open', 'void'),
    ('billing.invoices', 'open', 'uncollectible'),
    ('billing.invoices', 'uncollectible', 'paid'),
    ('billing.invoices', 'uncollectible', 'void'),
    -- a failure is not the end, since another attempt may succeed; a success is
    ('billing.payments', 'pending', 'succeeded'),
    ('billing.payments', 'pending', 'failed'),
    ('billing.payments', 'failed', 'pending'),
    ('billing.payments', 'failed', 'succeeded'),
    ('billing.payment_attempts', 'pending', 'succeeded'),
    ('billing.payment_attempts', 'pending', 'failed'),
    ('billing.payment_attempts', 'failed', 'succeeded'),
    ('billing.refunds', 'pending', 'succeeded'),
    ('billing.refunds', 'pending', 'failed'),
    ('billing.refunds', 'succeeded', 'failed'),
    ('billing.webhook_events', 'pending', 'processed'),
    ('billing.webhook_events', 'pending', 'failed'),
    ('billing.webhook_events', 'failed', 'pending');

insert into lab.shared_tables (table_name, writers, reason) values
    ('billing.features', '{lab_platform}', 'what can be granted, the same for everybody'),
    ('billing.products', '{lab_platform}', 'what is sold, the same for everybody'),
    ('billing.product_features', '{lab_platform}', 'what products grant, the same for everybody'),
    ('billing.prices', '{lab_platform}', 'what products cost, the same for everybody');

-- One price at a time, and one override at a time.
alter table billing.prices add constraint prices_overlap_excl exclude using gist
    (product_key with =, period with =, tstzrange(active_from, active_until) with &&);
alter table billing.overrides add constraint overrides_overlap_excl exclude using gist
    (tenant_id with =, feature_key with =, tstzrange(starts_at, ends_at) with &&);

insert into billing.features (key, kind, period, purpose) values
    ('emails_per_month',    'metered', 'month', 'Mails sent in a month.'),
    ('leads',               'metered', null,    'Leads kept.'),
    ('campaigns',           'metered', null,    'Campaigns that are not finished.'),
    ('email_accounts',      'metered', null,    'Mailboxes to send from.'),
    ('domains',             'metered', null,    'Sending domains.'),
    ('users',               'metered', null,    'Members of the tenant.'),
    ('steps_per_campaign',  'static',  null,    'Steps that a campaign may have.'),
    ('event_retention_days','static',  null,    'Days for which events are kept.'),
    ('api_access',          'boolean', null,    'Use of the API.'),
    ('custom_tracking',     'boolean', null,    'Tracking links under a domain of one''s own.'),
    ('dedicated_ip',        'boolean', null,    'Sending from an IP of one''s own.'),
    ('priority_support',    'boolean', null,    'Support that answers first.');

insert into billing.products (key, kind, name, rank, trial_days) values
    ('free',                 'plan',   'Free',                    0, 0),
    ('starter',              'plan',   'Starter',                10, 14),
    ('growth',               'plan',   'Growth',                 20, 14),
    ('scale',                'plan',   'Scale',                  30, 14),
    ('enterprise',           'plan',   'Enterprise',             40, 0),
    ('extra_emails',         'add_on', '10,000 more mails',    null, 0),
    ('extra_email_accounts', 'add_on', '5 more mailboxes',     null, 0),
    ('extra_users',          'add_on', 'One more member',      null, 0),
    ('dedicated_ip',         'add_on', 'A dedicated IP',       null, 0),
    ('priority_support',     'add_on', 'Priority support',     null, 0);

insert into billing.product_features (product_key, feature_key, value)
select plan.key, granted.feature_key, granted.value
from (values
    --             mails,   leads, campaigns, mailboxes, domains, users, steps, days, api, tracking, ip, support
    ('free',        1000,     500,         2,         1,       1,     2,     3,   30,   0,        0,  0,       0),
    ('starter',    10000,    5000,        10,         5,       2,     5,     5,   90,   0,        1,  0,       0),
    ('growth',    100000,   50000,        50,        25,      10,    15,    10,  365,   1,        1,  0,       0),
    ('scale',    1000000,  500000,       500,       200,     100,    50,    20,  730,   1,        1,  1,       0),
    ('enterprise',  null,    null,      null,      null,    null,  null,    50, 2555,   1,        1,  1,       1)
) as plan (key, emails_per_month, leads, campaigns, email_accounts, domains, users,
           steps_per_campaign, event_retention_days, api_access, custom_tracking, dedicated_ip, priority_support)
cross join lateral (values
    ('emails_per_month', plan.emails_per_month), ('leads', plan.leads), ('campaigns', plan.campaigns),
    ('email_accounts', plan.email_accounts), ('domains', plan.domains), ('users', plan.users),
    ('steps_per_campaign', plan.steps_per_campaign), ('event_retention_days', plan.event_retention_days),
    ('api_access', plan.api_access), ('custom_tracking', plan.custom_tracking),
    ('dedicated_ip', plan.dedicated_ip), ('priority_support', plan.priority_support)
) as granted (feature_key, value)
where granted.value is distinct from 0;

insert into billing.product_features (product_key, feature_key, value) values
    ('extra_emails', 'emails_per_month', 10000),
    ('extra_email_accounts', 'email_accounts', 5),
    ('extra_users', 'users', 1),
    ('dedicated_ip', 'dedicated_ip', 1),
    ('priority_support', 'priority_support', 1);

-- A year costs ten months.
insert into billing.prices (key, product_key, period, amount_cents, active_from)
select format('%s.%s.1', product.key, period.name), product.key, period.name,
       product.cents * period.months, '2020-01-01 00:00:00+00'
from (values
    ('free', 0), ('starter', 2900), ('growth', 9900), ('scale', 29900), ('enterprise', 99900),
    ('extra_emails', 900), ('extra_email_accounts', 1500), ('extra_users', 500),
    ('dedicated_ip', 3000), ('priority_support', 4900)
) as product (key, cents)
cross join (values ('month', 1), ('year', 10)) as period (name, months);

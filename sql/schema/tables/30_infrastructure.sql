-- What mail is sent with: domains and their DNS, email accounts, servers, addresses, and their costs.

create schema infrastructure;

create table infrastructure.domains (
    tenant_id         uuid not null,
    id                uuid not null default public.uuid_generate_v7(),
    name              text not null,
    name_norm         text not null generated always as (lower(name)) stored,
    status            text not null default 'pending',
    health            text not null default 'healthy',
    dkim_selector     text not null generated always as ('s' || right(replace(id::text, '-', ''), 16)) stored,
    dkim_public_key   text not null,
    next_check_at     timestamptz,
    verified_at       timestamptz,
    decommissioned_at timestamptz,
    created_at        timestamptz not null default now(),
    updated_at        timestamptz not null default now(),
    change_xid        bigint,
    constraint domains_pkey primary key (tenant_id, id),
    constraint domains_tenant_fkey foreign key (tenant_id) references public.tenants (id),
    constraint domains_name_check check (
        length(name) <= 253
        and lower(name) ~ '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$'),
    constraint domains_status_check check (status in ('pending', 'verified', 'failing', 'decommissioned')),
    constraint domains_health_check
        check (health in ('healthy', 'watched', 'throttled', 'quarantined', 'blocked')),
    constraint domains_decommissioned_check
        check ((status = 'decommissioned') = (decommissioned_at is not null)),
    constraint domains_next_check_check check ((status = 'decommissioned') = (next_check_at is null))
);
create unique index domains_name_key on infrastructure.domains (tenant_id, name_norm)
    where status <> 'decommissioned';
comment on index infrastructure.domains_name_key is 'add_domain: a tenant has a name once at a time.';
create index domains_next_check_idx on infrastructure.domains (next_check_at) where next_check_at is not null;
comment on index infrastructure.domains_next_check_idx is 'claim_dns_checks: what is due, across tenants.';
comment on table infrastructure.domains is 'Names that tenants send from. Whose a verified name is, across tenants, is in verified_domains.';
comment on column infrastructure.domains.tenant_id is 'The tenant.';
comment on column infrastructure.domains.id is 'Key of the domain.';
comment on column infrastructure.domains.name is 'Name as it was given; international names in their ASCII form.';
comment on column infrastructure.domains.name_norm is 'Name in lower case; what look-ups compare.';
comment on column infrastructure.domains.status is 'pending, verified (its DNS is usable and the name is this tenant''s), failing (was verified, its DNS no longer is usable) or decommissioned.';
comment on column infrastructure.domains.health is 'Reputation band of all that is sent from it; see reputation_bands.';
comment on column infrastructure.domains.dkim_selector is 'Selector below _domainkey that its key is published under; no other tenant''s domain has it, so publishing there proves control.';
comment on column infrastructure.domains.dkim_public_key is 'Public half of the key that signs its mail, base64; the private half is not kept here.';
comment on column infrastructure.domains.next_check_at is 'When its DNS is to be looked up next; null once decommissioned.';
comment on column infrastructure.domains.verified_at is 'When it last became verified.';
comment on column infrastructure.domains.decommissioned_at is 'When it was given up.';
comment on column infrastructure.domains.created_at is 'When it was added.';
comment on column infrastructure.domains.updated_at is 'When its status or health last changed.';
comment on column infrastructure.domains.change_xid is 'Transaction that last inserted or updated the row.';

create table infrastructure.verified_domains (
    name_norm       text not null,
    owner_tenant_id uuid not null,
    domain_id       uuid not null,
    verified_at     timestamptz not null,
    constraint verified_domains_pkey primary key (name_norm)
);
comment on table infrastructure.verified_domains is 'Which tenant each verified name belongs to: its key makes a name one tenant''s. A row for every domain in status verified, and no other.';
comment on column infrastructure.verified_domains.name_norm is 'The name, in lower case.';
comment on column infrastructure.verified_domains.owner_tenant_id is 'The tenant that has proven it by its DNS.';
comment on column infrastructure.verified_domains.domain_id is 'The tenant''s domain; no foreign key from a shared table.';
comment on column infrastructure.verified_domains.verified_at is 'When it was proven.';

create table infrastructure.dns_records (
    tenant_id  uuid not null,
    id         uuid not null default public.uuid_generate_v7(),
    domain_id  uuid not null,
    kind       text not null,
    type       text not null,
    host       text not null,
    expected   text not null,
    status     text not null default 'unchecked',
    observed   text[],
    checked_at timestamptz,
    created_at timestamptz not null default now(),
    change_xid bigint,
    constraint dns_records_pkey primary key (tenant_id, id),
    constraint dns_records_kind_key unique (tenant_id, domain_id, kind),
    constraint dns_records_domain_fkey foreign key (tenant_id, domain_id)
        references infrastructure.domains (tenant_id, id),
    constraint dns_records_kind_check
        check (kind in ('spf', 'dkim', 'dmarc', 'mx', 'return_path', 'tracking')),
    constraint dns_records_type_check check (type in ('TXT', 'MX', 'CNAME')),
    constraint dns_records_status_check check (status in ('unchecked', 'ok', 'missing', 'invalid')),
    constraint dns_records_checked_check check ((status = 'unchecked') = (checked_at is null))
);
comment on table infrastructure.dns_records is 'What a domain must publish, one record a kind, and what was last found there.';
comment on column infrastructure.dns_records.tenant_id is 'The tenant.';
comment on column infrastructure.dns_records.id is 'Key of the record.';
comment on column infrastructure.dns_records.domain_id is 'The domain.';
comment on column infrastructure.dns_records.kind is 'What it is for: spf, dkim, dmarc, mx, return_path or tracking.';
comment on column infrastructure.dns_records.type is 'DNS type: TXT, MX or CNAME.';
comment on column infrastructure.dns_records.host is 'Full name to look up.';
comment on column infrastructure.dns_records.expected is 'Value to publish; TXT as one string (a resource record splits it every 255 bytes).';
comment on column infrastructure.dns_records.status is 'As of the last look-up that got an answer: unchecked, ok, missing or invalid.';
comment on column infrastructure.dns_records.observed is 'The values that were answered then, sorted.';
comment on column infrastructure.dns_records.checked_at is 'When that was.';
comment on column infrastructure.dns_records.created_at is 'When it was first expected.';
comment on column infrastructure.dns_records.change_xid is 'Transaction that last inserted or updated the row.';

create table infrastructure.dns_checks (
    tenant_id     uuid not null,
    id            uuid not null default public.uuid_generate_v7(),
    dns_record_id uuid not null,
    checked_at    timestamptz not null,
    status        text not null,
    observed      text[] not null,
    lookups       integer,
    error         text,
    drift         text,
    change_xid    bigint,
    constraint dns_checks_pkey primary key (tenant_id, id),
    constraint dns_checks_once_key unique (tenant_id, dns_record_id, checked_at),
    constraint dns_checks_record_fkey foreign key (tenant_id, dns_record_id)
        references infrastructure.dns_records (tenant_id, id),
    constraint dns_checks_status_check check (status in ('ok', 'missing', 'invalid', 'failed')),
    constraint dns_checks_error_check
        check (case status when 'failed' then error is not null when 'invalid' then true else error is null end),
    constraint dns_checks_drift_check check (drift in ('lost', 'restored', 'changed'))
);
comment on table infrastructure.dns_checks is 'Every look-up of every record; never updated.';
comment on column infrastructure.dns_checks.tenant_id is 'The tenant.';
comment on column infrastructure.dns_checks.id is 'Key of the check.';
comment on column infrastructure.dns_checks.dns_record_id is 'The record.';
comment on column infrastructure.dns_checks.checked_at is 'When it was looked up.';
comment on column infrastructure.dns_checks.status is 'ok, missing, invalid, or failed: no answer, which says nothing of the record.';
comment on column infrastructure.dns_checks.observed is 'The values that were answered, sorted.';
comment on column infrastructure.dns_checks.lookups is 'For spf: DNS look-ups that evaluating it takes.';
comment on column infrastructure.dns_checks.error is 'Why there was no answer, or why what was answered will not do where it does not tell that itself.';
comment on column infrastructure.dns_checks.drift is 'How it differs from the answer before: lost (was ok), restored (is ok again), changed (other values); null if it does not.';
comment on column infrastructure.dns_checks.change_xid is 'Transaction that last inserted or updated the row.';

create table infrastructure.email_accounts (
    tenant_id      uuid not null,
    id             uuid not null default public.uuid_generate_v7(),
    domain_id      uuid not null,
    address        text not null,
    address_norm   text not null generated always as (lower(address)) stored,
    provider       text not null,
    status         text not null default 'active',
    health         text not null default 'healthy',
    daily_cap      integer not null default 50,
    minimum_gap    interval not null default '10 minutes',
    warmup_curve   text not null default 'mailbox',
    warmup_day     integer not null default 0,
    allowance      integer not null default 0,
    sent_in_period integer not null default 0,
    period_ends_at timestamptz not null default '1970-01-01 00:00:00+00',
    last_sent_at   timestamptz,
    smtp_ip_id     uuid,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now(),
    change_xid     bigint,
    constraint email_accounts_pkey primary key (tenant_id, id),
    constraint email_accounts_domain_fkey foreign key (tenant_id, domain_id)
        references infrastructure.domains (tenant_id, id),
    constraint email_accounts_provider_check
        check (provider in ('smtp', 'google', 'microsoft', 'ses', 'sendgrid')),
    constraint email_accounts_status_check check (status in ('active', 'paused', 'closed')),
    constraint email_accounts_health_check
        check (health in ('healthy', 'watched', 'throttled', 'quarantined', 'blocked')),
    constraint email_accounts_daily_cap_check check (daily_cap > 0),
    constraint email_accounts_minimum_gap_check check (minimum_gap >= '0'),
    constraint email_accounts_warmup_day_check check (warmup_day >= 0),
    constraint email_accounts_allowance_check check (sent_in_period between 0 and allowance),
    constraint email_accounts_smtp_ip_check check (provider = 'smtp' or smtp_ip_id is null)
) with (fillfactor = 80);
create unique index email_accounts_address_key on infrastructure.email_accounts (tenant_id, address_norm)
    where status <> 'closed';
comment on index infrastructure.email_accounts_address_key is 'create_email_account: an address is opened once at a time.';
create index email_accounts_domain_idx on infrastructure.email_accounts (tenant_id, domain_id);
comment on index infrastructure.email_accounts_domain_idx is 'decommission_domain: the accounts of a domain, and the foreign key to domains.';
comment on table infrastructure.email_accounts is 'Mailboxes that mail is sent as, and how much each may send when.';
comment on column infrastructure.email_accounts.tenant_id is 'The tenant.';
comment on column infrastructure.email_accounts.id is 'Key of the account.';
comment on column infrastructure.email_accounts.domain_id is 'The domain of its address.';
comment on column infrastructure.email_accounts.address is 'Address that mail is sent from.';
comment on column infrastructure.email_accounts.address_norm is 'Address in lower case; what look-ups compare.';
comment on column infrastructure.email_accounts.provider is 'Who delivers: smtp (our own addresses), google, microsoft, ses or sendgrid.';
comment on column infrastructure.email_accounts.status is 'active, paused or closed.';
comment on column infrastructure.email_accounts.health is 'Reputation band of what it sends; see reputation_bands.';
comment on column infrastructure.email_accounts.daily_cap is 'Mails a day (UTC) once it is warm.';
comment on column infrastructure.email_accounts.minimum_gap is 'Least time between two mails.';
comment on column infrastructure.email_accounts.warmup_curve is 'Curve that its volume grows along; see warmup_steps.';
comment on column infrastructure.email_accounts.warmup_day is 'Day on the curve: days on which it has sent since it was cold, from 0.';
comment on column infrastructure.email_accounts.allowance is 'Mails allowed in the current period.';
comment on column infrastructure.email_accounts.sent_in_period is 'Mails sent in it; never more than the allowance.';
comment on column infrastructure.email_accounts.period_ends_at is 'When the current period (a day, or what the curve says) ends and the count starts again; long ago before the first.';
comment on column infrastructure.email_accounts.last_sent_at is 'When it last sent.';
comment on column infrastructure.email_accounts.smtp_ip_id is 'Address it last sent through and keeps to while there is room; no foreign key to a shared table.';
comment on column infrastructure.email_accounts.created_at is 'When it was opened.';
comment on column infrastructure.email_accounts.updated_at is 'When its status, health or limits last changed.';
comment on column infrastructure.email_accounts.change_xid is 'Transaction that last inserted or updated the row.';

create table infrastructure.vps_instances (
    id         uuid not null default public.uuid_generate_v7(),
    name       text not null,
    provider   text not null,
    region     text not null,
    status     text not null default 'provisioning',
    created_at timestamptz not null default now(),
    retired_at timestamptz,
    change_xid bigint,
    constraint vps_instances_pkey primary key (id),
    constraint vps_instances_name_key unique (name),
    constraint vps_instances_status_check check (status in ('provisioning', 'active', 'draining', 'failed', 'retired')),
    constraint vps_instances_retired_check check ((status = 'retired') = (retired_at is not null))
);
comment on table infrastructure.vps_instances is 'Rented servers that mail leaves from.';
comment on column infrastructure.vps_instances.id is 'Key of the instance.';
comment on column infrastructure.vps_instances.name is 'Its host name.';
comment on column infrastructure.vps_instances.provider is 'Who it is rented from.';
comment on column infrastructure.vps_instances.region is 'Where it stands.';
comment on column infrastructure.vps_instances.status is 'provisioning, active, draining (goes on for who has an address of it, takes nobody new), failed or retired.';
comment on column infrastructure.vps_instances.created_at is 'When it was ordered.';
comment on column infrastructure.vps_instances.retired_at is 'When it was given up.';
comment on column infrastructure.vps_instances.change_xid is 'Transaction that last inserted or updated the row.';

create table infrastructure.smtp_ips (
    id              uuid not null default public.uuid_generate_v7(),
    vps_instance_id uuid not null,
    address         inet not null,
    status          text not null default 'available',
    owner_tenant_id uuid,
    health          text not null default 'healthy',
    daily_cap       integer not null default 50000,
    warmup_curve    text not null default 'standard',
    warmup_day      integer not null default 0,
    allowance       integer not null default 0,
    sent_in_period  integer not null default 0,
    period_ends_at  timestamptz not null default '1970-01-01 00:00:00+00',
    last_sent_at    timestamptz,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    change_xid      bigint,
    constraint smtp_ips_pkey primary key (id),
    constraint smtp_ips_instance_key unique (vps_instance_id, id),
    constraint smtp_ips_address_key unique (address),
    constraint smtp_ips_instance_fkey foreign key (vps_instance_id) references infrastructure.vps_instances (id),
    constraint smtp_ips_status_check check (status in ('available', 'assigned', 'resting', 'retired')),
    constraint smtp_ips_owner_check check ((status = 'assigned') = (owner_tenant_id is not null)),
    constraint smtp_ips_health_check
        check (health in ('healthy', 'watched', 'throttled', 'quarantined', 'blocked')),
    constraint smtp_ips_daily_cap_check check (daily_cap > 0),
    constraint smtp_ips_warmup_day_check check (warmup_day >= 0),
    constraint smtp_ips_allowance_check check (sent_in_period between 0 and allowance)
) with (fillfactor = 80);
create index smtp_ips_owner_idx on infrastructure.smtp_ips (owner_tenant_id) where owner_tenant_id is not null;
comment on index infrastructure.smtp_ips_owner_idx is 'take_send_slot: the addresses of a tenant.';
comment on table infrastructure.smtp_ips is 'Addresses that mail leaves from, who has each one now, and how much it may send when.';
comment on column infrastructure.smtp_ips.id is 'Key of the address.';
comment on column infrastructure.smtp_ips.vps_instance_id is 'The server it belongs to.';
comment on column infrastructure.smtp_ips.address is 'The IP address.';
comment on column infrastructure.smtp_ips.status is 'available, assigned, resting (its reputation must recover) or retired.';
comment on column infrastructure.smtp_ips.owner_tenant_id is 'The tenant that has it now; null unless assigned. How it came to be is in ip_assignments.';
comment on column infrastructure.smtp_ips.health is 'Reputation band of what it sends; see reputation_bands.';
comment on column infrastructure.smtp_ips.daily_cap is 'Mails a day (UTC) once it is warm.';
comment on column infrastructure.smtp_ips.warmup_curve is 'Curve that its volume grows along; see warmup_steps.';
comment on column infrastructure.smtp_ips.warmup_day is 'Day on the curve: days on which it has sent since it was cold, from 0.';
comment on column infrastructure.smtp_ips.allowance is 'Mails allowed in the current period.';
comment on column infrastructure.smtp_ips.sent_in_period is 'Mails sent in it; never more than the allowance.';
comment on column infrastructure.smtp_ips.period_ends_at is 'When the current period (a day, or what the curve says) ends and the count starts again; long ago before the first.';
comment on column infrastructure.smtp_ips.last_sent_at is 'When it last sent.';
comment on column infrastructure.smtp_ips.created_at is 'When it was rented.';
comment on column infrastructure.smtp_ips.updated_at is 'When its status, owner or health last changed.';
comment on column infrastructure.smtp_ips.change_xid is 'Transaction that last inserted or updated the row.';

create table infrastructure.ip_assignments (
    id              uuid not null default public.uuid_generate_v7(),
    smtp_ip_id      uuid not null,
    owner_tenant_id uuid not null,
    assigned_at     timestamptz not null,
    released_at     timestamptz,
    change_xid      bigint,
    constraint ip_assignments_pkey primary key (id),
    constraint ip_assignments_smtp_ip_fkey foreign key (smtp_ip_id) references infrastructure.smtp_ips (id),
    constraint ip_assignments_released_check check (released_at >= assigned_at)
);
create unique index ip_assignments_current_key on infrastructure.ip_assignments (smtp_ip_id)
    where released_at is null;
comment on index infrastructure.ip_assignments_current_key is 'assign_smtp_ip: one assignment of an address lasts; this holds without the exclusion constraint too, which is not portable.';
create index ip_assignments_owner_idx on infrastructure.ip_assignments (owner_tenant_id);
comment on index infrastructure.ip_assignments_owner_idx is 'release_tenant, and the policy owner: the addresses that a tenant had.';
comment on table infrastructure.ip_assignments is 'Which tenant had which address from when to when. An exclusion constraint keeps it to one at a time.';
comment on column infrastructure.ip_assignments.id is 'Key of the assignment.';
comment on column infrastructure.ip_assignments.smtp_ip_id is 'The address.';
comment on column infrastructure.ip_assignments.owner_tenant_id is 'The tenant; no foreign key from a shared table.';
comment on column infrastructure.ip_assignments.assigned_at is 'From when.';
comment on column infrastructure.ip_assignments.released_at is 'To when; null while it lasts.';
comment on column infrastructure.ip_assignments.change_xid is 'Transaction that last inserted or updated the row.';

create table infrastructure.warmup_steps (
    curve     text not null,
    day       integer not null,
    period    text not null,
    allowance integer not null,
    constraint warmup_steps_pkey primary key (curve, day),
    constraint warmup_steps_day_check check (day >= 0),
    constraint warmup_steps_period_check check (period in ('hour', 'day')),
    constraint warmup_steps_allowance_check check (allowance > 0)
);
comment on table infrastructure.warmup_steps is 'Warm-up curves: how much a cold address or mailbox may send on each of its first days. After the last one it is warm, and its daily cap holds.';
comment on column infrastructure.warmup_steps.curve is 'Name of the curve.';
comment on column infrastructure.warmup_steps.day is 'Day on which it sends, from 0.';
comment on column infrastructure.warmup_steps.period is 'What the allowance is for: each hour or the day.';
comment on column infrastructure.warmup_steps.allowance is 'Mails in that period.';

create table infrastructure.reputation_bands (
    band             text not null,
    severity         integer not null,
    volume_percent   integer not null,
    bounces_enter    integer,
    bounces_leave    integer,
    complaints_enter integer,
    complaints_leave integer,
    constraint reputation_bands_pkey primary key (band),
    constraint reputation_bands_severity_key unique (severity),
    constraint reputation_bands_volume_check check (volume_percent between 0 and 100),
    constraint reputation_bands_hysteresis_check
        check (bounces_leave < bounces_enter and complaints_leave < complaints_enter)
);
comment on table infrastructure.reputation_bands is 'What bounces and complaints lead to. Rates are per 10,000 mails; a band is left below where it is entered, or it would flutter.';
comment on column infrastructure.reputation_bands.band is 'The health of an account, domain or address.';
comment on column infrastructure.reputation_bands.severity is 'Order of the bands, 0 is best.';
comment on column infrastructure.reputation_bands.volume_percent is 'Share of its usual allowance that it may still send.';
comment on column infrastructure.reputation_bands.bounces_enter is 'Hard bounces from which the band holds; null for the best.';
comment on column infrastructure.reputation_bands.bounces_leave is 'Hard bounces below which it ends; null if it does not end by itself.';
comment on column infrastructure.reputation_bands.complaints_enter is 'Complaints from which the band holds; null for the best.';
comment on column infrastructure.reputation_bands.complaints_leave is 'Complaints below which it ends; null if it does not end by itself.';

create table infrastructure.daily_sends (
    tenant_id         uuid not null,
    id                uuid not null default public.uuid_generate_v7(),
    email_account_id  uuid not null,
    smtp_ip_id        uuid,
    day               date not null,
    sent              integer not null default 0,
    account_allowance integer not null default 0,
    address_allowance integer not null default 0,
    soft_bounces      integer not null default 0,
    hard_bounces      integer not null default 0,
    complaints        integer not null default 0,
    change_xid        bigint,
    constraint daily_sends_pkey primary key (tenant_id, id),
    constraint daily_sends_day_key unique nulls not distinct (tenant_id, email_account_id, day, smtp_ip_id),
    constraint daily_sends_account_fkey foreign key (tenant_id, email_account_id)
        references infrastructure.email_accounts (tenant_id, id),
    constraint daily_sends_sent_check check (sent >= 0),
    constraint daily_sends_allowance_check check (account_allowance >= 0 and address_allowance >= 0),
    constraint daily_sends_outcomes_check check (soft_bounces >= 0 and hard_bounces >= 0 and complaints >= 0)
) with (fillfactor = 80);
comment on table infrastructure.daily_sends is 'What each account sent through each address on each day, and what came back. Costs are shared by it.';
comment on column infrastructure.daily_sends.tenant_id is 'The tenant.';
comment on column infrastructure.daily_sends.id is 'Key of the row.';
comment on column infrastructure.daily_sends.email_account_id is 'The account.';
comment on column infrastructure.daily_sends.smtp_ip_id is 'The address; null where the account''s provider delivers; no foreign key to a shared table.';
comment on column infrastructure.daily_sends.day is 'The day (UTC).';
comment on column infrastructure.daily_sends.sent is 'Mails sent.';
comment on column infrastructure.daily_sends.account_allowance is 'Mails that the account was allowed in the periods that began with one of these; its rows of the day add up to what it was allowed that day.';
comment on column infrastructure.daily_sends.address_allowance is 'Mails that the address was allowed in the periods that began with one of these; likewise.';
comment on column infrastructure.daily_sends.soft_bounces is 'Temporary failures that were reported on this day.';
comment on column infrastructure.daily_sends.hard_bounces is 'Permanent failures that were reported on this day.';
comment on column infrastructure.daily_sends.complaints is 'Complaints that were reported on this day.';
comment on column infrastructure.daily_sends.change_xid is 'Transaction that last inserted or updated the row.';

create table infrastructure.reputation_samples (
    tenant_id  uuid not null,
    id         uuid not null default public.uuid_generate_v7(),
    subject    text not null,
    subject_id uuid not null,
    sampled_at timestamptz not null,
    sent       bigint not null,
    bounces    bigint not null,
    complaints bigint not null,
    health     text not null,
    change_xid bigint,
    constraint reputation_samples_pkey primary key (tenant_id, id),
    constraint reputation_samples_once_key unique (tenant_id, subject_id, sampled_at),
    constraint reputation_samples_tenant_fkey foreign key (tenant_id) references public.tenants (id),
    constraint reputation_samples_subject_check check (subject in ('email_account', 'domain', 'smtp_ip')),
    constraint reputation_samples_health_check
        check (health in ('healthy', 'watched', 'throttled', 'quarantined', 'blocked'))
);
comment on table infrastructure.reputation_samples is 'How accounts, domains and addresses did, as it was judged; never updated.';
comment on column infrastructure.reputation_samples.tenant_id is 'The tenant that sent.';
comment on column infrastructure.reputation_samples.id is 'Key of the sample.';
comment on column infrastructure.reputation_samples.subject is 'What was judged: email_account, domain or smtp_ip.';
comment on column infrastructure.reputation_samples.subject_id is 'Key of the account, domain or address.';
comment on column infrastructure.reputation_samples.sampled_at is 'When it was judged.';
comment on column infrastructure.reputation_samples.sent is 'Mails that the tenant sent with it in the seven days before.';
comment on column infrastructure.reputation_samples.bounces is 'Hard bounces in these days.';
comment on column infrastructure.reputation_samples.complaints is 'Complaints in these days.';
comment on column infrastructure.reputation_samples.health is 'Band it was found in.';
comment on column infrastructure.reputation_samples.change_xid is 'Transaction that last inserted or updated the row.';

create table infrastructure.costs (
    id              uuid not null default public.uuid_generate_v7(),
    vps_instance_id uuid not null,
    smtp_ip_id      uuid,
    starts_on       date not null,
    ends_on         date not null,
    cents           bigint not null,
    change_xid      bigint,
    constraint costs_pkey primary key (id),
    constraint costs_start_key unique nulls not distinct (vps_instance_id, smtp_ip_id, starts_on),
    constraint costs_instance_fkey foreign key (vps_instance_id) references infrastructure.vps_instances (id),
    constraint costs_smtp_ip_fkey foreign key (vps_instance_id, smtp_ip_id)
        references infrastructure.smtp_ips (vps_instance_id, id),
    constraint costs_span_check check (starts_on < ends_on and ends_on <= starts_on + 31),
    constraint costs_cents_check check (cents >= 0)
);
comment on table infrastructure.costs is 'What was paid for servers and addresses over time. An exclusion constraint keeps a thing from being paid twice for a day.';
comment on column infrastructure.costs.id is 'Key of the cost.';
comment on column infrastructure.costs.vps_instance_id is 'The server.';
comment on column infrastructure.costs.smtp_ip_id is 'The address of that server, if it was paid for apart; null for the server itself.';
comment on column infrastructure.costs.starts_on is 'First day it was paid for.';
comment on column infrastructure.costs.ends_on is 'Day after the last; a month at most, so that months can be closed.';
comment on column infrastructure.costs.cents is 'What was paid.';
comment on column infrastructure.costs.change_xid is 'Transaction that last inserted or updated the row.';

create table infrastructure.cost_shares (
    id               uuid not null default public.uuid_generate_v7(),
    cost_id          uuid not null,
    smtp_ip_id       uuid,
    email_account_id uuid,
    owner_tenant_id  uuid,
    sent             bigint not null,
    cents            bigint not null,
    change_xid       bigint,
    constraint cost_shares_pkey primary key (id),
    constraint cost_shares_cost_key
        unique nulls not distinct (cost_id, smtp_ip_id, email_account_id, owner_tenant_id),
    constraint cost_shares_cost_fkey foreign key (cost_id) references infrastructure.costs (id),
    constraint cost_shares_sent_check check (sent >= 0),
    constraint cost_shares_cents_check check (cents >= 0)
);
comment on table infrastructure.cost_shares is 'Who bears each cost: server, address, account, tenant, by use. The shares of a cost add up to what was paid.';
comment on column infrastructure.cost_shares.id is 'Key of the share.';
comment on column infrastructure.cost_shares.cost_id is 'The cost.';
comment on column infrastructure.cost_shares.smtp_ip_id is 'The address that was used or held; null if none was.';
comment on column infrastructure.cost_shares.email_account_id is 'The account that used it; null if nobody did.';
comment on column infrastructure.cost_shares.owner_tenant_id is 'The tenant that bears it; null for the platform itself.';
comment on column infrastructure.cost_shares.sent is 'Mails that the share is for.';
comment on column infrastructure.cost_shares.cents is 'The share.';
comment on column infrastructure.cost_shares.change_xid is 'Transaction that last inserted or updated the row.';

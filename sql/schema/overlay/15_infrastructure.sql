-- What plain Postgres adds to infrastructure: what may not overlap, the state machines, and the curves
-- and bands that every installation has.

alter table infrastructure.ip_assignments
    add constraint ip_assignments_one_owner_excl
        exclude using gist (smtp_ip_id with =, tstzrange(assigned_at, released_at) with &&);
alter table infrastructure.costs
    add constraint costs_paid_once_excl
        exclude using gist (coalesce(smtp_ip_id, vps_instance_id) with =, daterange(starts_on, ends_on) with &&);

insert into lab.transitions (table_name, from_status, to_status) values
    ('infrastructure.domains', 'pending', 'verified'),
    ('infrastructure.domains', 'pending', 'decommissioned'),
    ('infrastructure.domains', 'verified', 'failing'),
    ('infrastructure.domains', 'verified', 'decommissioned'),
    ('infrastructure.domains', 'failing', 'verified'),
    ('infrastructure.domains', 'failing', 'decommissioned'),
    ('infrastructure.email_accounts', 'active', 'paused'),
    ('infrastructure.email_accounts', 'active', 'closed'),
    ('infrastructure.email_accounts', 'paused', 'active'),
    ('infrastructure.email_accounts', 'paused', 'closed'),
    ('infrastructure.vps_instances', 'provisioning', 'active'),
    ('infrastructure.vps_instances', 'provisioning', 'retired'),
    ('infrastructure.vps_instances', 'active', 'draining'),
    ('infrastructure.vps_instances', 'draining', 'active'),
    ('infrastructure.vps_instances', 'draining', 'failed'),
    ('infrastructure.vps_instances', 'draining', 'retired'),
    ('infrastructure.vps_instances', 'active', 'failed'),
    ('infrastructure.vps_instances', 'active', 'retired'),
    ('infrastructure.vps_instances', 'failed', 'active'),
    ('infrastructure.vps_instances', 'failed', 'retired'),
    ('infrastructure.smtp_ips', 'available', 'assigned'),
    ('infrastructure.smtp_ips', 'available', 'retired'),
    ('infrastructure.smtp_ips', 'assigned', 'available'),
    ('infrastructure.smtp_ips', 'assigned', 'resting'),
    ('infrastructure.smtp_ips', 'resting', 'available'),
    ('infrastructure.smtp_ips', 'resting', 'retired');

insert into lab.shared_tables (table_name, writers, reason) values
    ('infrastructure.warmup_steps', '{}', 'curves, the same for everybody'),
    ('infrastructure.reputation_bands', '{}', 'bands, the same for everybody');

-- SendGrid's automated warm-up, an hour.
insert into infrastructure.warmup_steps (curve, day, period, allowance)
select 'sendgrid', day - 1, 'hour', allowance
from unnest(array[20, 28, 39, 55, 77, 108, 151, 211, 295, 413, 579, 810, 1000, 1587, 2222, 3111, 4356, 6098,
                  8583, 11953, 16734]) with ordinality as step (allowance, day);
-- SES says where its curve ends: 50,000 a day after 45 days. Its path from 50 is drawn evenly.
insert into infrastructure.warmup_steps (curve, day, period, allowance)
select 'ses', day, 'day', round(50 * 1000 ^ (day / 44.0)) from generate_series(0, 44) as day;
insert into infrastructure.warmup_steps (curve, day, period, allowance)
select 'ghost', day, 'day', round(200 * 1000 ^ (day / 41.0)) from generate_series(0, 41) as day;
-- Our own: addresses grow by 40 % a day to 50,000, mailboxes by 5 mails a day to 50.
insert into infrastructure.warmup_steps (curve, day, period, allowance)
select 'standard', day, 'day', least(50000, round(100 * 1.4 ^ day)) from generate_series(0, 19) as day;
insert into infrastructure.warmup_steps (curve, day, period, allowance)
select 'mailbox', day, 'day', 10 + 5 * day from generate_series(0, 8) as day;

-- SES reviews at 5 % bounces or 0.1 % complaints and pauses at 10 % or 0.5 %; Gmail wants complaints
-- below 0.3 %; campaigns pause at 8 % bounces. Who is blocked sends nothing that could acquit them.
insert into infrastructure.reputation_bands
    (band, severity, volume_percent, bounces_enter, bounces_leave, complaints_enter, complaints_leave)
values
    ('healthy',     0, 100, null, null, null, null),
    ('watched',     1, 100,  200,  150,   10,    8),
    ('throttled',   2,  50,  500,  400,   20,   15),
    ('quarantined', 3,  10,  800,  600,   30,   20),
    ('blocked',     4,   0, 1000, null,   50, null);

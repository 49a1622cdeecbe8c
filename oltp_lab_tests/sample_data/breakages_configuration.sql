-- Ways in which one row can break a rule; each begins with the rule's name. Run as lab_platform.

-- name: configuration_flags_one_more
select configuration.create_flag('one-more', 'A flag.');

-- name: configuration_flags_override_not_looked_up
update configuration.feature_flags set has_overrides = false
where key = (select flag_key from configuration.user_flag_overrides limit 1);

-- name: configuration_flags_override_before_the_flag
update configuration.user_flag_overrides set updated_at = '2001-01-01'
where ctid = (select min(ctid) from configuration.user_flag_overrides);

-- name: configuration_flags_variant_of_no_flag
delete from configuration.flag_variants
where (flag_key, variant) in (select flag_key, variant from configuration.tenant_flag_overrides);

-- name: configuration_obeyed_too_many_mails
update configuration.tenant_policies set own_limit = 0, updated_at = '2001-01-01'
where policy_key = 'emails_per_day' and tenant_id in (select tenant_id from infrastructure.daily_sends where sent > 0);

-- name: configuration_obeyed_elsewhere
update configuration.tenant_policies set own_values = '{}', updated_at = '2001-01-01'
where policy_key = 'allowed_providers' and tenant_id in (select tenant_id from infrastructure.email_accounts);

-- name: configuration_obeyed_for_too_long
insert into configuration.tenant_policies (tenant_id, policy_key, own_limit)
select tenant_id, 'notification_retention_days', 1 from integration.notifications
where created_at < '2025-12-30' limit 1;

-- name: configuration_settings_by_a_stranger
update configuration.tenant_settings set updated_by = gen_random_uuid()
where ctid = (select min(ctid) from configuration.tenant_settings);

-- name: configuration_settings_before_there_was_a_tenant
update configuration.user_preferences set updated_at = '2001-01-01'
where ctid = (select min(ctid) from configuration.user_preferences);

-- name: integration_notified_twice
insert into integration.notifications (tenant_id, user_id, kind, channel, status, created_at, delivered_at)
select tenant_id, user_id, kind, channel, status, created_at, delivered_at
from integration.notifications where kind = 'campaign.started' and status = 'delivered' limit 1;

-- name: integration_notified_of_nothing
delete from integration.notifications
where ctid = (select min(ctid) from integration.notifications where kind = 'campaign.started');

-- name: integration_notified_against_their_will
insert into integration.notification_preferences (tenant_id, user_id, kind, channel, enabled, updated_at)
select tenant_id, user_id, kind, channel, false, '2001-01-01'
from integration.notifications where kind = 'campaign.started' and channel = 'in_app' limit 1
on conflict on constraint notification_preferences_pkey do update
set enabled = excluded.enabled, updated_at = excluded.updated_at;

-- name: integration_delivery_before_it_was_written
update integration.notifications set delivered_at = created_at - interval '1 second'
where ctid = (select min(ctid) from integration.notifications where status = 'delivered');

-- name: integration_delivery_without_an_attempt
update integration.notifications set attempts = 0
where ctid = (select min(ctid) from integration.notifications where channel = 'email' and status = 'delivered');

-- name: integration_delivery_read_by_mail
update integration.notifications set channel = 'email', attempts = 1
where ctid = (select min(ctid) from integration.notifications where status = 'read');

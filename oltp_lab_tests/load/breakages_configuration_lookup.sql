-- What each invariant of configuration_lookup must see. A name begins with that of its invariant.

-- name: lively
-- What a run leaves, in small: somebody counts on a growing flag, a setting is set, a mail is sent.
select lab.enter_tenant(scratch_load.account(1), scratch_load.member(1, 1));
select configuration.set_rollout(scratch_load.flag(4), 100);
insert into scratch_load.told values (scratch_load.account(1), scratch_load.member(1, 1), scratch_load.flag(4));
select configuration.override_flag(scratch_load.account(1), scratch_load.member(1, 2), scratch_load.flag(2), false);
select scratch_load.set_preference(scratch_load.account(1), scratch_load.member(1, 1), scratch_load.setting(2), 7, 0);
select scratch_load.send(scratch_load.account(1), 0);

-- name: flags_steady_meanwhile
insert into scratch_load.outcomes values ('flag_steady', 'changed', 0, 1);

-- name: flags_steady_changed
update configuration.feature_flags set rollout = 100 - rollout, segment_key = null, segment_rollout = null
where key like 'load-%' and rollout in (0, 100);
update configuration.feature_flags set rollout = 100 where key like 'load-%';

-- name: flags_kept_taken
update configuration.feature_flags set rollout = 0 where key = scratch_load.flag(4);

-- name: flags_overridden_ignored
create or replace function configuration.flag_enabled(tenant uuid, acting_user uuid, flag_key text) returns boolean
    language sql stable as 'select true';

-- name: flags_overridden_hidden
update configuration.feature_flags set has_overrides = false where key = scratch_load.flag(2);

-- name: settings_valid_refused
alter table configuration.tenant_settings disable trigger check_setting_value;
update configuration.tenant_settings set value = '1000' where tenant_id = scratch_load.account(1);

-- name: settings_valid_unknown
alter table configuration.user_preferences disable trigger check_setting_value;
update configuration.user_preferences set setting_key = 'load.unknown' where tenant_id = scratch_load.account(1) and setting_key = scratch_load.setting(2);

-- name: settings_resolved_ignored
create or replace function configuration.resolve_setting(tenant uuid, acting_user uuid, setting_key text) returns jsonb
    language sql stable as 'select ''0''::jsonb';

-- name: policies_kept_sent
update infrastructure.daily_sends set sent = 41 where tenant_id = scratch_load.account(1);

-- name: policies_kept_provider
update infrastructure.email_accounts set provider = 'sendgrid' where tenant_id = scratch_load.account(1);

-- name: sends_counted_lost
update infrastructure.daily_sends set sent = sent + 1 where tenant_id = scratch_load.account(1);

-- name: sends_counted_unheard
delete from infrastructure.daily_sends where tenant_id = scratch_load.account(1);

-- name: sample_data_untouched_flag
update configuration.feature_flags set updated_at = clock_timestamp() where key not like 'load-%';

-- name: sample_data_untouched_setting
update configuration.settings set updated_at = clock_timestamp() where key not like 'load.%';

-- name: sample_data_untouched_policy
update configuration.tenant_policies set updated_at = clock_timestamp()
where tenant_id not in (select tenant_id from scratch_load.accounts);

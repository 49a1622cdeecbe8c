-- Who may use what of the configuration.

revoke all on all tables in schema configuration from public;
revoke execute on function lab.murmur3_32(text, bigint), lab.setting_refusal(configuration.settings, jsonb),
    lab.first_uuid_of(timestamptz), lab.check_setting(), lab.check_setting_value(), lab.check_policy_value(),
    lab.check_flag_override() from public;

grant usage on schema configuration to lab_app, lab_platform, lab_analytics;
grant execute on function lab.murmur3_32(text, bigint), lab.setting_refusal(configuration.settings, jsonb)
    to lab_app, lab_platform;
grant execute on function lab.first_uuid_of(timestamptz) to lab_app, lab_platform, lab_analytics;

grant select on all tables in schema configuration to lab_app, lab_platform, lab_analytics;
grant insert, update, delete on all tables in schema configuration to lab_platform;

-- The application chooses, but neither what it may choose from nor which features it has; of its
-- policies it writes its own part, never what the platform imposed.
grant insert, update, delete on configuration.tenant_settings, configuration.user_preferences to lab_app;
grant insert (tenant_id, policy_key, own_limit, own_values, updated_at),
      update (own_limit, own_values, updated_at) on configuration.tenant_policies to lab_app;

-- Configuration on plain Postgres: what refers to a shared table is checked by triggers, since the
-- portable tables may not have that foreign key; the hash behind flags; the catalogue of settings.

insert into lab.shared_tables (table_name, writers, reason) values
    ('configuration.settings', '{lab_platform}', 'definitions, the same for everybody'),
    ('configuration.policies', '{lab_platform}', 'definitions, the same for everybody'),
    ('configuration.segments', '{lab_platform}', 'aimed at across tenants'),
    ('configuration.feature_flags', '{lab_platform}', 'rolled out across tenants'),
    ('configuration.flag_variants', '{lab_platform}', 'rolled out across tenants');

-- Murmur3 by Austin Appleby (public domain), 32 bits. The zeros make the incomplete last word, mixed in
-- without the second step, like any other. A call's cost is its expressions, which every transaction
-- sets up again, more than its rounds: so they are few. ((x << r) - 1) % (2^32 - 1) + 1 rotates while
-- naming x once; multipliers above 2^31 are written as the negative number that they equal modulo
-- 2^32, lest a product leaves bigint's range.
create function lab.murmur3_32(key text, seed bigint default 0) returns bigint
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog
as $$
declare
    bytes constant bytea := convert_to(key, 'UTF8') || '\x00000000'::bytea;
    size constant integer := length(bytes) - 4;
    h bigint := seed;
begin
    for i in 0 .. size by 4 loop
        h := h # (((((get_byte(bytes, i + 3) << 8 | get_byte(bytes, i + 2) << 8 | get_byte(bytes, i + 1) << 8 | get_byte(bytes, i))
                     * -862048943::bigint & 4294967295) << 15) - 1) % 4294967295 + 1) * 461845907 & 4294967295;
        exit when i + 4 > size;
        h := (h << 13 | (h >> 19)) * 5 + 3864292196;
    end loop;
    h := h # size;
    h := (h # (h >> 16)) * -2048144789 & 4294967295;
    h := (h # (h >> 13)) * -1028477387 & 4294967295;
    return h # (h >> 16);
end
$$;
comment on function lab.murmur3_32(text, bigint) is 'Murmur3, 32 bits, of the text in UTF-8; 0 to 2^32 - 1.';

create function lab.setting_refusal(definition configuration.settings, value jsonb) returns text
    language sql immutable
    return case
        when case definition.value_type
            when 'boolean' then jsonb_typeof(value) = 'boolean'
            when 'string' then jsonb_typeof(value) = 'string'
                and coalesce(value #>> '{}' = any (definition.choices), true)
                and coalesce(value #>> '{}' ~ definition.pattern, true)
            -- Compared as jsonb: a cast might be evaluated, and fail, whatever the type is.
            else jsonb_typeof(value) = 'number'
                and coalesce(value >= to_jsonb(definition.minimum), true)
                and coalesce(value <= to_jsonb(definition.maximum), true)
                and (definition.value_type = 'number' or value @@ '$.floor() == $')
        end then null
        else concat_ws(' ', definition.value_type,
            'from ' || definition.minimum, 'to ' || definition.maximum,
            'of ' || array_to_string(definition.choices, ', '), 'matching ' || definition.pattern)
    end;
comment on function lab.setting_refusal(configuration.settings, jsonb) is
    'Null when a setting accepts the value, else what it would accept.';

create function lab.check_setting_value() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    definition configuration.settings;
    refusal text;
begin
    select s.* into definition from configuration.settings s where s.key = new.setting_key;
    if not found then
        raise exception 'there is no setting %', new.setting_key using errcode = 'invalid_parameter_value';
    end if;
    if not definition.scope = any (tg_argv) then
        raise exception 'setting % is set for the %', definition.key, definition.scope
            using errcode = 'insufficient_privilege';
    end if;
    refusal := lab.setting_refusal(definition, new.value);
    if refusal is not null then
        raise exception 'setting % cannot be %: it takes %', definition.key, new.value, refusal
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;
comment on function lab.check_setting_value() is
    'Refuses a value that its setting does not accept; arguments: the scopes that may set it here.';

create trigger check_setting_value before insert or update on configuration.tenant_settings
    for each row execute function lab.check_setting_value('tenant', 'user');
create trigger check_setting_value before insert or update on configuration.user_preferences
    for each row execute function lab.check_setting_value('user');

create function lab.check_setting() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    refused record;
begin
    if tg_op <> 'DELETE' then
        select candidate.value, lab.setting_refusal(new, candidate.value) as wanted into refused
        from (select new.default_value
              union all select new.system_value where new.system_value is not null
              union all select plan.value from jsonb_each(new.plan_values) as plan) as candidate (value)
        where lab.setting_refusal(new, candidate.value) is not null;
        if found then
            raise exception 'setting % cannot be %: it takes %', new.key, refused.value, refused.wanted
                using errcode = 'check_violation';
        end if;
    end if;
    if tg_op = 'INSERT' then
        return new;
    end if;
    if tg_op = 'UPDATE' and (new.key, new.value_type, new.scope, new.minimum, new.maximum, new.choices, new.pattern)
            is not distinct from (old.key, old.value_type, old.scope, old.minimum, old.maximum, old.choices, old.pattern) then
        return new;
    end if;
    -- Whoever writes a value now has been waited for, and whoever comes next reads the new definition.
    lock table configuration.tenant_settings, configuration.user_preferences in share mode;
    perform from (
        select t.value, 'tenant' as level from configuration.tenant_settings t where t.setting_key = old.key
        union all
        select u.value, 'user' from configuration.user_preferences u where u.setting_key = old.key
    ) as held
    where tg_op = 'DELETE' or new.key <> old.key
       or not (new.scope = 'user' or new.scope = held.level)
       or lab.setting_refusal(new, held.value) is not null;
    if found then
        raise exception 'setting % has values that this would make invalid', old.key
            using errcode = 'check_violation', hint = 'remove them from tenant_settings and user_preferences first';
    end if;
    return coalesce(new, old);
end
$$;
comment on function lab.check_setting() is
    'Refuses a definition that its own values, or those tenants and users hold, would break.';

create trigger check_setting before insert or update or delete on configuration.settings
    for each row execute function lab.check_setting();

create function lab.check_policy_value() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    policy configuration.policies;
begin
    select p.* into policy from configuration.policies p where p.key = new.policy_key;
    if not found then
        raise exception 'there is no policy %', new.policy_key using errcode = 'invalid_parameter_value';
    end if;
    if num_nonnulls(new.imposed_limit, new.own_limit) > 0 and policy.kind <> 'limit'
       or num_nonnulls(new.imposed_values, new.own_values) > 0 and policy.kind <> 'allow_list' then
        raise exception 'policy % is a %', policy.key, policy.kind using errcode = 'check_violation';
    end if;
    if not coalesce(new.imposed_values || new.own_values, new.imposed_values, new.own_values, '{}') <@ policy.choices then
        raise exception 'policy % knows only %', policy.key, array_to_string(policy.choices, ', ')
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;
comment on function lab.check_policy_value() is 'Refuses values that are not of the policy''s kind or choices.';

create trigger check_policy_value before insert or update on configuration.tenant_policies
    for each row execute function lab.check_policy_value();

create function lab.check_flag_override() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    known record;
begin
    select f.has_overrides, exists (
        select from configuration.flag_variants v
        where v.flag_key = f.key and v.variant = new.variant) as has_variant
    into known
    from configuration.feature_flags f where f.key = new.flag_key;
    if not found then
        raise exception 'there is no flag %', new.flag_key using errcode = 'invalid_parameter_value';
    elsif new.variant is not null and not known.has_variant then
        raise exception 'flag % has no variant %', new.flag_key, new.variant
            using errcode = 'invalid_parameter_value';
    elsif not known.has_overrides then
        update configuration.feature_flags f set has_overrides = true where f.key = new.flag_key;
    end if;
    return new;
end
$$;
comment on function lab.check_flag_override() is
    'Refuses overrides of flags and variants that do not exist, and marks the flag as overridden.';

create trigger check_flag_override before insert or update on configuration.tenant_flag_overrides
    for each row execute function lab.check_flag_override();
create trigger check_flag_override before insert or update on configuration.user_flag_overrides
    for each row execute function lab.check_flag_override();

create function lab.first_uuid_of(at timestamptz) returns uuid
    language sql immutable parallel safe
    return (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
comment on function lab.first_uuid_of(timestamptz) is
    'The smallest uuid v7 of that millisecond: keys below it are older, which makes the primary key an index by time.';

insert into configuration.settings
    (key, category, value_type, scope, default_value, minimum, maximum, choices, pattern, description)
values
    ('campaigns.bounce_pause_permille', 'campaigns', 'integer', 'tenant', '80', 1, 1000, null, null,
        'Bounces per thousand mails at which a campaign pauses by itself.'),
    ('campaigns.complaint_pause_permille', 'campaigns', 'integer', 'tenant', '15', 1, 1000, null, null,
        'Complaints per thousand mails at which a campaign pauses by itself.'),
    ('campaigns.stop_on_reply', 'campaigns', 'boolean', 'tenant', 'true', null, null, null, null,
        'Whether a reply ends the lead''s enrollment.'),
    ('campaigns.time_zone', 'campaigns', 'string', 'tenant', '"UTC"', null, null, null, '^[A-Za-z_+-]+(/[A-Za-z0-9_+-]+)*$',
        'IANA time zone of new campaigns.'),
    ('sending.account_daily_cap', 'sending', 'integer', 'tenant', '50', 1, 2000, null, null,
        'Mails a day for a new email account.'),
    ('sending.account_minimum_gap_seconds', 'sending', 'integer', 'tenant', '600', 0, 86400, null, null,
        'Seconds between two mails of a new email account.'),
    ('sending.account_ramp_per_day', 'sending', 'integer', 'tenant', '5', 1, 1000, null, null,
        'By how many mails a day a new email account''s cap grows.'),
    ('sending.suppression_days', 'sending', 'integer', 'system', '30', 1, 3650, null, null,
        'Days after which a suppression for bounces expires.'),
    ('tracking.opens', 'tracking', 'boolean', 'tenant', 'true', null, null, null, null,
        'Whether opens are tracked.'),
    ('tracking.clicks', 'tracking', 'boolean', 'tenant', 'true', null, null, null, null,
        'Whether clicks are tracked.'),
    ('notifications.digest', 'notifications', 'string', 'user', '"daily"', null, null, '{off,daily,weekly}', null,
        'How often a summary is mailed.'),
    ('interface.language', 'interface', 'string', 'user', '"en"', null, null, '{de,en,es,fr,it,pt}', null,
        'Language of the interface.'),
    ('interface.theme', 'interface', 'string', 'user', '"system"', null, null, '{system,light,dark}', null,
        'Colours of the interface.'),
    ('interface.time_zone', 'interface', 'string', 'user', '"UTC"', null, null, null, '^[A-Za-z_+-]+(/[A-Za-z0-9_+-]+)*$',
        'IANA time zone in which times are shown.'),
    ('interface.rows_per_page', 'interface', 'integer', 'user', '25', 10, 500, null, null,
        'Rows on a page of a list.'),
    ('security.session_hours', 'security', 'integer', 'tenant', '720', 1, 2160, null, null,
        'Hours after which a log-in ends.'),
    ('security.two_factor_required', 'security', 'boolean', 'tenant', 'false', null, null, null, null,
        'Whether members must log in with a second factor.'),
    ('billing.invoice_email', 'billing', 'string', 'tenant', '""', null, null, null, '^$|^[^@\s]+@[^@\s]+$',
        'Address that invoices go to; empty is the owner''s.'),
    ('integrations.webhook_timeout_seconds', 'integrations', 'integer', 'system', '10', 1, 60, null, null,
        'Seconds that a webhook may take.');

update configuration.settings set plan_values = '{"free": 20, "scale": 100, "enterprise": 200}'
where key = 'sending.account_daily_cap';
update configuration.settings set plan_values = '{"enterprise": true}'
where key = 'security.two_factor_required';
update configuration.settings set updated_at = '2020-01-01 00:00:00+00';  -- the same in every build

insert into configuration.policies (key, kind, default_limit, default_values, choices, description) values
    ('emails_per_day', 'limit', null, null, null,
        'Mails that the tenant may send in a day (UTC), beside what plan and accounts allow; configuration.send_refusal.'),
    ('allowed_providers', 'allow_list', null, null, '{smtp,google,microsoft,ses,sendgrid}',
        'Providers that email accounts may be with; infrastructure.create_email_account obeys it.'),
    ('notification_channels', 'allow_list', null, null, '{in_app,email}',
        'Channels that notifications may take; integration.notify obeys it.'),
    ('event_retention_days', 'limit', null, null, null,
        'Days that engagement events are kept; configuration.enforce_retention removes older ones.'),
    ('notification_retention_days', 'limit', 90, null, null,
        'Days that notifications are kept; configuration.enforce_retention removes older ones.');

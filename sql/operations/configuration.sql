-- Settings, policies and feature flags: resolving them, and changing them.

-- What is called for every request costs its expressions and look-ups, which each transaction sets up
-- again: so these functions go statement by statement, and no further than needed.

-- Settings: user over tenant over plan over system.

create function configuration.resolve_setting(tenant uuid, acting_user uuid, setting_key text) returns jsonb
    language plpgsql stable
    set search_path = pg_catalog
as $$
declare
    setting configuration.settings;
    resolved jsonb;
begin
    select s.* into setting from configuration.settings s where s.key = resolve_setting.setting_key;
    if not found then
        raise exception 'there is no setting %', setting_key using errcode = 'invalid_parameter_value';
    end if;
    if setting.scope = 'user' then
        select u.value into resolved from configuration.user_preferences u
        where u.tenant_id = tenant and u.user_id = acting_user and u.setting_key = resolve_setting.setting_key;
    end if;
    if resolved is null and setting.scope <> 'system' then
        select t.value into resolved from configuration.tenant_settings t
        where t.tenant_id = tenant and t.setting_key = resolve_setting.setting_key;
    end if;
    if resolved is null and setting.plan_values <> '{}' then
        resolved := setting.plan_values -> billing.current_plan(tenant);
    end if;
    return coalesce(resolved, setting.system_value, setting.default_value);
end
$$;
comment on function configuration.resolve_setting(uuid, uuid, text) is
    'lab_app: the value that holds for a user (null: for the tenant); an unknown setting raises 22023.';

create function configuration.settings_in_effect(tenant uuid, acting_user uuid, wanted_category text default null)
    returns table (category text, setting_key text, value jsonb, level text)
    language sql stable
begin atomic
    select s.category, s.key, held.value, held.level
    from configuration.settings s
    cross join billing.current_plan(tenant) as plan
    left join configuration.tenant_settings t on t.tenant_id = tenant and t.setting_key = s.key
    left join configuration.user_preferences u
        on u.tenant_id = tenant and u.user_id = acting_user and u.setting_key = s.key
    cross join lateral (
        select candidate.value, candidate.level
        from (values (1, u.value, 'user'), (2, t.value, 'tenant'), (3, s.plan_values -> plan, 'plan'),
                     (4, coalesce(s.system_value, s.default_value), 'system')) as candidate (rank, value, level)
        where candidate.value is not null
        order by candidate.rank limit 1
    ) as held
    where s.category = coalesce(wanted_category, s.category)
    order by s.category, s.key;
end;
comment on function configuration.settings_in_effect(uuid, uuid, text) is
    'lab_app: every setting (of a category) with its value and the level it comes from.';

create function configuration.set_tenant_setting(
    tenant uuid, setting_key text, value jsonb, acting_user uuid default null, at timestamptz default now()
) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    if value is null then
        delete from configuration.tenant_settings t
        where t.tenant_id = tenant and t.setting_key = set_tenant_setting.setting_key;
    else
        insert into configuration.tenant_settings as t (tenant_id, setting_key, value, updated_by, updated_at)
        values (tenant, set_tenant_setting.setting_key, set_tenant_setting.value, acting_user, at)
        on conflict on constraint tenant_settings_pkey do update
        set value = excluded.value, updated_by = excluded.updated_by, updated_at = excluded.updated_at;
    end if;
end
$$;
comment on function configuration.set_tenant_setting(uuid, text, jsonb, uuid, timestamptz) is
    'lab_app: sets a setting for a tenant, null goes back to plan or system; an invalid value raises 23514.';

create function configuration.set_user_preference(
    tenant uuid, acting_user uuid, setting_key text, value jsonb, at timestamptz default now()
) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    if value is null then
        delete from configuration.user_preferences u
        where u.tenant_id = tenant and u.user_id = acting_user
          and u.setting_key = set_user_preference.setting_key;
    else
        insert into configuration.user_preferences as u (tenant_id, user_id, setting_key, value, updated_at)
        values (tenant, acting_user, set_user_preference.setting_key, set_user_preference.value, at)
        on conflict on constraint user_preferences_pkey do update
        set value = excluded.value, updated_at = excluded.updated_at;
    end if;
end
$$;
comment on function configuration.set_user_preference(uuid, uuid, text, jsonb, timestamptz) is
    'lab_app: sets a setting for a user in a tenant, null goes back to the tenant''s; an invalid value raises 23514.';

create function configuration.set_system_setting(
    setting_key text, value jsonb, plan text default null, at timestamptz default now()
) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    update configuration.settings s
    set system_value = case when plan is null then set_system_setting.value else s.system_value end,
        plan_values = case when plan is null then s.plan_values
                           when set_system_setting.value is null then s.plan_values - plan
                           else s.plan_values || jsonb_build_object(plan, set_system_setting.value) end,
        updated_at = at
    where s.key = set_system_setting.setting_key;
    if not found then
        raise exception 'there is no setting %', setting_key using errcode = 'invalid_parameter_value';
    end if;
end
$$;
comment on function configuration.set_system_setting(text, jsonb, text, timestamptz) is
    'lab_platform: sets a setting for everybody or for the tenants of a plan; null goes back.';

-- Policies: the platform imposes, a tenant may only be stricter.

create function configuration.policy_limit(tenant uuid, policy_key text) returns bigint
    language plpgsql stable parallel safe
    set search_path = pg_catalog
as $$
declare
    allowed bigint;
begin
    select least(coalesce(t.imposed_limit, p.default_limit), t.own_limit) into allowed
    from configuration.policies p
    left join configuration.tenant_policies t on t.tenant_id = tenant and t.policy_key = p.key
    where p.key = policy_limit.policy_key and p.kind = 'limit';
    if not found then
        raise exception 'there is no policy % with a limit', policy_key using errcode = 'invalid_parameter_value';
    end if;
    return allowed;
end
$$;
comment on function configuration.policy_limit(uuid, text) is
    'lab_app: the limit that holds for a tenant; null is no limit.';

create function configuration.policy_allows(tenant uuid, policy_key text, value text) returns boolean
    language plpgsql stable parallel safe
    set search_path = pg_catalog
as $$
declare
    allowed boolean;
begin
    select coalesce(policy_allows.value = any (coalesce(t.imposed_values, p.default_values)), true)
       and coalesce(policy_allows.value = any (t.own_values), true)
    into allowed
    from configuration.policies p
    left join configuration.tenant_policies t on t.tenant_id = tenant and t.policy_key = p.key
    where p.key = policy_allows.policy_key and p.kind = 'allow_list';
    if not found then
        raise exception 'there is no policy % with a list', policy_key using errcode = 'invalid_parameter_value';
    end if;
    return allowed;
end
$$;
comment on function configuration.policy_allows(uuid, text, text) is
    'lab_app: whether platform and tenant both allow a value.';

create function configuration.impose_policy(
    tenant uuid, policy_key text, policy_limit bigint default null, policy_values text[] default null,
    at timestamptz default now()
) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    insert into configuration.tenant_policies as t (tenant_id, policy_key, imposed_limit, imposed_values, updated_at)
    values (tenant, impose_policy.policy_key, policy_limit, policy_values, at)
    on conflict on constraint tenant_policies_pkey do update
    set imposed_limit = excluded.imposed_limit, imposed_values = excluded.imposed_values,
        updated_at = excluded.updated_at;
end
$$;
comment on function configuration.impose_policy(uuid, text, bigint, text[], timestamptz) is
    'lab_platform: sets what a tenant may at most, in place of everybody''s; nulls go back to that.';

create function configuration.adopt_policy(
    tenant uuid, policy_key text, policy_limit bigint default null, policy_values text[] default null,
    at timestamptz default now()
) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    insert into configuration.tenant_policies as t (tenant_id, policy_key, own_limit, own_values, updated_at)
    values (tenant, adopt_policy.policy_key, policy_limit, policy_values, at)
    on conflict on constraint tenant_policies_pkey do update
    set own_limit = excluded.own_limit, own_values = excluded.own_values, updated_at = excluded.updated_at;
end
$$;
comment on function configuration.adopt_policy(uuid, text, bigint, text[], timestamptz) is
    'lab_app: a tenant restricts itself further; nulls lift that.';

-- Exact under concurrency: who sends for a tenant with such a policy sends alone, and is not waited for.
create function configuration.send_refusal(tenant uuid, at timestamptz default now()) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    allowed constant bigint := configuration.policy_limit(tenant, 'emails_per_day');
begin
    if allowed is null then
        return null;
    elsif not pg_try_advisory_xact_lock(hashtextextended('emails_per_day ' || tenant, 0)) then
        return 'minimum_gap';
    end if;
    return (
        select 'daily_limit' from infrastructure.daily_sends s
        where s.tenant_id = tenant and s.day = (at at time zone 'UTC')::date
        having coalesce(sum(s.sent), 0) >= allowed);
end
$$;
comment on function configuration.send_refusal(uuid, timestamptz) is
    'lab_platform: null when the policy emails_per_day leaves room for a mail (until the end of the transaction, for this session alone), else daily_limit, or minimum_gap while another session is sending.';

-- Rows are found by their keys, which begin with the time: no index of their own is needed. Nothing is
-- older than 20,000 days, which is as good as no limit.
create function configuration.enforce_retention(
    tenant uuid, batch integer default 1000, at timestamptz default now()
) returns table (table_name text, removed bigint)
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    keep_from timestamptz;
begin
    -- The plan has a say too; who has none (0) keeps what there is until it is purged.
    keep_from := at - make_interval(days => least(20000,
        configuration.policy_limit(tenant, 'event_retention_days'),
        nullif(billing.entitlement(tenant, 'event_retention_days', at), 0))::integer);
    with gone as (
        delete from campaigns.events e
        where e.tenant_id = tenant and e.id = any (array(
            select old.id from campaigns.events old
            where old.tenant_id = tenant and old.id < lab.first_uuid_of(keep_from) and old.occurred_at < keep_from
            order by old.id limit batch))
        returning e.campaign_id, e.kind
    ), noted as (
        insert into campaigns.counters as c (tenant_id, campaign_id, kind, slot, forgotten)
        select tenant, g.campaign_id, g.kind, -1, count(*) from gone g group by g.campaign_id, g.kind order by 2, 3
        on conflict (tenant_id, campaign_id, kind, slot) do update set forgotten = c.forgotten + excluded.forgotten
    )
    select 'campaigns.events', count(*) into table_name, removed from gone;
    return next;

    keep_from := at - make_interval(days => least(20000,
        configuration.policy_limit(tenant, 'notification_retention_days'))::integer);
    delete from integration.notifications n
    where n.tenant_id = tenant and n.id = any (array(
        select old.id from integration.notifications old
        where old.tenant_id = tenant and old.id < lab.first_uuid_of(keep_from) and old.created_at < keep_from
        order by old.id limit batch));
    table_name := 'integration.notifications';
    get diagnostics removed = row_count;
    return next;
end
$$;
comment on function configuration.enforce_retention(uuid, integer, timestamptz) is
    'lab_platform: removes a batch of what a tenant''s policies no longer keep; call again until nothing is removed.';

-- Feature flags. The kill switch beats overrides (user over tenant), and those the rollout.

create function configuration.bucket(group_id text, subject uuid, buckets bigint default 100, seed bigint default 0)
    returns bigint
    language sql immutable parallel safe
    return lab.murmur3_32(group_id || ':' || subject::text, seed) % buckets + 1;
comment on function configuration.bucket(text, uuid, bigint, bigint) is
    'lab_app: where Unleash puts an id of a group, from 1 to the number of buckets.';

create function configuration.in_segment(tenant uuid, acting_user uuid, segment_key text) returns boolean
    language plpgsql stable
    set search_path = pg_catalog
as $$
declare
    segment configuration.segments;
begin
    select g.* into segment from configuration.segments g where g.key = in_segment.segment_key;
    if not found then
        raise exception 'there is no segment %', segment_key using errcode = 'invalid_parameter_value';
    end if;
    if segment.plans is not null and (billing.current_plan(tenant) = any (segment.plans)) is not true then
        return false;
    end if;
    if segment.roles is not null and not exists (
        select from users.tenant_users m
        where m.tenant_id = tenant and m.user_id = acting_user and m.deleted is null and m.roles && segment.roles)
    then
        return false;
    end if;
    return segment.joined_before is null or exists (
        select from public.tenants t
        where t.id = tenant and t.created < segment.joined_before at time zone 'UTC');
end
$$;
comment on function configuration.in_segment(uuid, uuid, text) is
    'lab_app: whether a tenant and its user belong to a segment; an unknown one raises 22023.';

-- The planner would rather scan a hundred flags than find one, which costs five times as much.
create function configuration.flag_enabled(tenant uuid, acting_user uuid, flag_key text) returns boolean
    language plpgsql stable
    set search_path = pg_catalog
    set enable_seqscan = off
as $$
declare
    flag configuration.feature_flags;
    overridden boolean;
    place bigint;
begin
    select f.* into flag from configuration.feature_flags f where f.key = flag_enabled.flag_key;
    if flag.enabled is not true then
        return false;
    end if;
    if flag.has_overrides then
        select o.enabled into overridden from configuration.user_flag_overrides o
        where o.tenant_id = tenant and o.user_id = acting_user and o.flag_key = flag_enabled.flag_key;
        if overridden is null then
            select o.enabled into overridden from configuration.tenant_flag_overrides o
            where o.tenant_id = tenant and o.flag_key = flag_enabled.flag_key;
        end if;
        if overridden is not null then
            return overridden;
        end if;
    end if;
    -- Who has no id is in no bucket, as with Unleash.
    if flag.stickiness = 'user' and acting_user is null then
        return false;
    end if;
    if flag.rollout = 100 or greatest(flag.rollout, flag.segment_rollout) = 0 then
        return flag.rollout = 100;
    end if;
    place := configuration.bucket(flag.group_id, case flag.stickiness when 'user' then acting_user else tenant end);
    return place <= flag.rollout
        or coalesce(place <= flag.segment_rollout, false)
           and configuration.in_segment(tenant, acting_user, flag.segment_key);
end
$$;
comment on function configuration.flag_enabled(uuid, uuid, text) is
    'lab_app: whether a flag is on for a user (null: for the tenant); an unknown flag is off.';

create function configuration.flag_variant(tenant uuid, acting_user uuid, flag_key text) returns text
    language plpgsql stable
    set search_path = pg_catalog
as $$
declare
    variant_seed constant bigint := 86028157;  -- Unleash's, so that variants do not follow rollouts
    chosen text;
    target bigint;
begin
    -- Few flags have variants, and to look costs less than to decide.
    if not exists (select from configuration.flag_variants v where v.flag_key = flag_variant.flag_key)
       or not configuration.flag_enabled(tenant, acting_user, flag_key) then
        return 'disabled';
    end if;
    chosen := coalesce(
        (select o.variant from configuration.user_flag_overrides o
         where o.tenant_id = tenant and o.user_id = acting_user and o.flag_key = flag_variant.flag_key),
        (select o.variant from configuration.tenant_flag_overrides o
         where o.tenant_id = tenant and o.flag_key = flag_variant.flag_key));
    if chosen is not null then
        return chosen;
    end if;
    select configuration.bucket(
        f.key, case f.stickiness when 'user' then coalesce(acting_user, tenant) else tenant end,
        sum(v.weight), variant_seed)
    into target
    from configuration.feature_flags f
    join configuration.flag_variants v on v.flag_key = f.key
    where f.key = flag_variant.flag_key
    group by f.key having sum(v.weight) > 0;

    select v.variant into chosen
    from (select w.variant, w.position, sum(w.weight) over (order by w.position) as up_to
          from configuration.flag_variants w where w.flag_key = flag_variant.flag_key) as v
    where v.up_to >= target
    order by v.position limit 1;
    return coalesce(chosen, 'disabled');
end
$$;
comment on function configuration.flag_variant(uuid, uuid, text) is
    'lab_app: which variant of a flag a user gets; disabled when the flag is off or has none.';

create function configuration.flags_in_effect(tenant uuid, acting_user uuid)
    returns table (flag_key text, variant text)
    language sql stable
begin atomic
    select f.key, configuration.flag_variant(tenant, acting_user, f.key)
    from configuration.feature_flags f
    where f.enabled and configuration.flag_enabled(tenant, acting_user, f.key)
    order by f.key;
end;
comment on function configuration.flags_in_effect(uuid, uuid) is
    'lab_app: the flags that are on for a user, in one call, as a session begins.';

create function configuration.create_flag(
    flag_key text, description text, rollout integer default 0, stickiness text default 'user',
    at timestamptz default now()
) returns void
    language sql
begin atomic
    insert into configuration.feature_flags (key, description, stickiness, group_id, rollout, created_at, updated_at)
    values (flag_key, description, stickiness, flag_key, rollout, at, at);
end;
comment on function configuration.create_flag(text, text, integer, text, timestamptz) is
    'lab_platform: a new flag, for a percentage of everybody.';

create function configuration.set_rollout(
    flag_key text, rollout integer, segment text default null, segment_rollout integer default null,
    at timestamptz default now()
) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    update configuration.feature_flags f
    set rollout = set_rollout.rollout, segment_key = segment, segment_rollout = set_rollout.segment_rollout,
        updated_at = at
    where f.key = set_rollout.flag_key;
    if not found then
        raise exception 'there is no flag %', flag_key using errcode = 'invalid_parameter_value';
    end if;
end
$$;
comment on function configuration.set_rollout(text, integer, text, integer, timestamptz) is
    'lab_platform: sets the percentage of everybody, and of a segment; who has the flag keeps it while neither shrinks and the segment stays.';

create function configuration.switch_flag(flag_key text, enabled boolean, at timestamptz default now()) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    update configuration.feature_flags f
    set enabled = switch_flag.enabled, updated_at = at
    where f.key = switch_flag.flag_key;
    if not found then
        raise exception 'there is no flag %', flag_key using errcode = 'invalid_parameter_value';
    end if;
end
$$;
comment on function configuration.switch_flag(text, boolean, timestamptz) is
    'lab_platform: the kill switch: false turns a flag off for everybody, true gives it back to whom it had.';

create function configuration.override_flag(
    tenant uuid, acting_user uuid, flag_key text, enabled boolean, variant text default null,
    at timestamptz default now()
) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    if enabled is null and acting_user is null then
        delete from configuration.tenant_flag_overrides o
        where o.tenant_id = tenant and o.flag_key = override_flag.flag_key;
    elsif enabled is null then
        delete from configuration.user_flag_overrides o
        where o.tenant_id = tenant and o.user_id = acting_user and o.flag_key = override_flag.flag_key;
    elsif acting_user is null then
        insert into configuration.tenant_flag_overrides as o (tenant_id, flag_key, enabled, variant, updated_at)
        values (tenant, override_flag.flag_key, override_flag.enabled, override_flag.variant, at)
        on conflict on constraint tenant_flag_overrides_pkey do update
        set enabled = excluded.enabled, variant = excluded.variant, updated_at = excluded.updated_at;
    else
        insert into configuration.user_flag_overrides as o (tenant_id, user_id, flag_key, enabled, variant, updated_at)
        values (tenant, acting_user, override_flag.flag_key, override_flag.enabled, override_flag.variant, at)
        on conflict on constraint user_flag_overrides_pkey do update
        set enabled = excluded.enabled, variant = excluded.variant, updated_at = excluded.updated_at;
    end if;
end
$$;
comment on function configuration.override_flag(uuid, uuid, text, boolean, text, timestamptz) is
    'lab_platform: turns a flag on or off for a tenant or one of its users, maybe with a variant; null lifts that.';

revoke execute on all functions in schema configuration from public;
grant execute on function
    configuration.resolve_setting(uuid, uuid, text),
    configuration.settings_in_effect(uuid, uuid, text),
    configuration.set_tenant_setting(uuid, text, jsonb, uuid, timestamptz),
    configuration.set_user_preference(uuid, uuid, text, jsonb, timestamptz),
    configuration.policy_limit(uuid, text),
    configuration.policy_allows(uuid, text, text),
    configuration.adopt_policy(uuid, text, bigint, text[], timestamptz),
    configuration.bucket(text, uuid, bigint, bigint),
    configuration.in_segment(uuid, uuid, text),
    configuration.flag_enabled(uuid, uuid, text),
    configuration.flag_variant(uuid, uuid, text),
    configuration.flags_in_effect(uuid, uuid)
    to lab_app, lab_platform;
grant execute on function
    configuration.set_system_setting(text, jsonb, text, timestamptz),
    configuration.impose_policy(uuid, text, bigint, text[], timestamptz),
    configuration.send_refusal(uuid, timestamptz),
    configuration.enforce_retention(uuid, integer, timestamptz),
    configuration.create_flag(text, text, integer, text, timestamptz),
    configuration.set_rollout(text, integer, text, integer, timestamptz),
    configuration.switch_flag(text, boolean, timestamptz),
    configuration.override_flag(uuid, uuid, text, boolean, text, timestamptz)
    to lab_platform;

-- Settings, policies and feature flags. What is the same for everybody is a shared table with a
-- readable key; what a tenant or a user chose is a tenant table, keyed by what it is looked up by.

create schema configuration;

create table configuration.settings (
    key           text not null,
    category      text not null,
    description   text not null,
    value_type    text not null,
    scope         text not null default 'tenant',
    default_value jsonb not null,
    system_value  jsonb,
    plan_values   jsonb not null default '{}',
    minimum       numeric,
    maximum       numeric,
    choices       text[],
    pattern       text,
    updated_at    timestamptz not null default now(),
    constraint settings_pkey primary key (key),
    constraint settings_key_check check (key ~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$'),
    constraint settings_category_check check (category in
        ('campaigns', 'tracking', 'sending', 'notifications', 'interface', 'security', 'billing', 'integrations')),
    constraint settings_value_type_check check (value_type in ('boolean', 'integer', 'number', 'string')),
    constraint settings_scope_check check (scope in ('system', 'tenant', 'user')),
    constraint settings_plan_values_check check (jsonb_typeof(plan_values) = 'object'),
    constraint settings_range_check
        check (value_type in ('integer', 'number') or (minimum is null and maximum is null)),
    constraint settings_choices_check
        check (value_type = 'string' or (choices is null and pattern is null))
);
comment on table configuration.settings is 'What can be set, its validation, and its value for the system and for each plan.';
comment on column configuration.settings.key is 'Name, category.name by custom.';
comment on column configuration.settings.category is 'Where it is shown.';
comment on column configuration.settings.description is 'What it does.';
comment on column configuration.settings.value_type is 'boolean, integer, number or string.';
comment on column configuration.settings.scope is 'Who may set it, down to: system (the platform alone), tenant, or user (a tenant''s users too).';
comment on column configuration.settings.default_value is 'Value as it ships.';
comment on column configuration.settings.system_value is 'Value the platform chose instead; null leaves the default.';
comment on column configuration.settings.plan_values is 'Values that plans bring, by the plan''s key.';
comment on column configuration.settings.minimum is 'Smallest number allowed.';
comment on column configuration.settings.maximum is 'Largest number allowed.';
comment on column configuration.settings.choices is 'The strings allowed; null allows any.';
comment on column configuration.settings.pattern is 'Regular expression that strings must match.';
comment on column configuration.settings.updated_at is 'When it last changed.';

create table configuration.tenant_settings (
    tenant_id   uuid not null,
    setting_key text not null,
    value       jsonb not null,
    updated_by  uuid,
    updated_at  timestamptz not null default now(),
    constraint tenant_settings_pkey primary key (tenant_id, setting_key),
    constraint tenant_settings_tenant_fkey foreign key (tenant_id) references public.tenants (id)
);
comment on table configuration.tenant_settings is 'Settings that a tenant changed.';
comment on column configuration.tenant_settings.tenant_id is 'The tenant.';
comment on column configuration.tenant_settings.setting_key is 'The setting; no foreign key to a shared table, a trigger checks it.';
comment on column configuration.tenant_settings.value is 'The value, valid as the setting defines.';
comment on column configuration.tenant_settings.updated_by is 'User who set it; null for the platform.';
comment on column configuration.tenant_settings.updated_at is 'When it was set.';

create table configuration.user_preferences (
    tenant_id   uuid not null,
    user_id     uuid not null,
    setting_key text not null,
    value       jsonb not null,
    updated_at  timestamptz not null default now(),
    constraint user_preferences_pkey primary key (tenant_id, user_id, setting_key),
    constraint user_preferences_member_fkey foreign key (tenant_id, user_id)
        references users.tenant_users (tenant_id, user_id) on delete cascade
);
comment on table configuration.user_preferences is 'Settings that a user changed for themselves within a tenant.';
comment on column configuration.user_preferences.tenant_id is 'The tenant.';
comment on column configuration.user_preferences.user_id is 'The user; their preferences end with their membership.';
comment on column configuration.user_preferences.setting_key is 'The setting; no foreign key to a shared table, a trigger checks it.';
comment on column configuration.user_preferences.value is 'The value, valid as the setting defines.';
comment on column configuration.user_preferences.updated_at is 'When it was set.';

create table configuration.policies (
    key            text not null,
    kind           text not null,
    description    text not null,
    default_limit  bigint,
    default_values text[],
    choices        text[],
    constraint policies_pkey primary key (key),
    constraint policies_kind_check check (kind in ('limit', 'allow_list')),
    constraint policies_limit_check check (default_limit >= 0),
    constraint policies_default_check check (
        (kind = 'limit' or default_limit is null)
        and (kind = 'allow_list' or (default_values is null and choices is null))),
    constraint policies_choices_check check (default_values <@ choices)
);
comment on table configuration.policies is 'What can be restricted for a tenant, and how far it is for everybody.';
comment on column configuration.policies.key is 'Name of the policy.';
comment on column configuration.policies.kind is 'limit (a largest number) or allow_list (values that are allowed).';
comment on column configuration.policies.description is 'What it restricts, and the operation that enforces it.';
comment on column configuration.policies.default_limit is 'The limit for everybody; null is no limit.';
comment on column configuration.policies.default_values is 'What is allowed to everybody; null is anything.';
comment on column configuration.policies.choices is 'All values there are; null when that is open.';

create table configuration.tenant_policies (
    tenant_id      uuid not null,
    policy_key     text not null,
    imposed_limit  bigint,
    imposed_values text[],
    own_limit      bigint,
    own_values     text[],
    updated_at     timestamptz not null default now(),
    constraint tenant_policies_pkey primary key (tenant_id, policy_key),
    constraint tenant_policies_tenant_fkey foreign key (tenant_id) references public.tenants (id),
    constraint tenant_policies_limit_check check (imposed_limit >= 0 and own_limit >= 0)
);
comment on table configuration.tenant_policies is 'Policies of one tenant: the platform imposes, the tenant may only be stricter.';
comment on column configuration.tenant_policies.tenant_id is 'The tenant.';
comment on column configuration.tenant_policies.policy_key is 'The policy; no foreign key to a shared table, a trigger checks it.';
comment on column configuration.tenant_policies.imposed_limit is 'The platform''s limit for this tenant, in place of everybody''s; null leaves that.';
comment on column configuration.tenant_policies.imposed_values is 'What the platform allows this tenant, in place of everybody''s; null leaves that.';
comment on column configuration.tenant_policies.own_limit is 'The tenant''s own limit; the smaller one counts.';
comment on column configuration.tenant_policies.own_values is 'What the tenant allows itself; what both allow counts.';
comment on column configuration.tenant_policies.updated_at is 'When it last changed.';

create table configuration.segments (
    key           text not null,
    description   text not null,
    plans         text[],
    roles         text[],
    joined_before timestamptz,
    constraint segments_pkey primary key (key)
);
comment on table configuration.segments is 'Groups of tenants and users that a flag can be aimed at; all conditions must hold, null ones do. They name no tenant, since every tenant can read them.';
comment on column configuration.segments.key is 'Name of the segment.';
comment on column configuration.segments.description is 'Who is meant.';
comment on column configuration.segments.plans is 'Keys of plans, one of which the tenant has.';
comment on column configuration.segments.roles is 'Roles, one of which the user has in the tenant.';
comment on column configuration.segments.joined_before is 'Time before which the tenant was created.';

create table configuration.feature_flags (
    key             text not null,
    description     text not null,
    enabled         boolean not null default true,
    stickiness      text not null default 'user',
    group_id        text not null,
    rollout         smallint not null default 0,
    segment_key     text,
    segment_rollout smallint,
    has_overrides   boolean not null default false,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    constraint feature_flags_pkey primary key (key),
    constraint feature_flags_segment_fkey foreign key (segment_key) references configuration.segments (key),
    constraint feature_flags_stickiness_check check (stickiness in ('user', 'tenant')),
    constraint feature_flags_rollout_check check (rollout between 0 and 100),
    constraint feature_flags_segment_check
        check ((segment_key is null) = (segment_rollout is null) and segment_rollout between 0 and 100)
);
create index feature_flags_segment_idx on configuration.feature_flags (segment_key);
comment on index configuration.feature_flags_segment_idx is 'Which flags are aimed at a segment, and the foreign key to segments.';
comment on table configuration.feature_flags is 'Features that are rolled out gradually; who gets them is decided as Unleash does.';
comment on column configuration.feature_flags.key is 'Name of the flag.';
comment on column configuration.feature_flags.description is 'What it turns on.';
comment on column configuration.feature_flags.enabled is 'The kill switch: false turns it off for everybody, overrides included.';
comment on column configuration.feature_flags.stickiness is 'Whose id is bucketed: user, or tenant (all users of a tenant alike).';
comment on column configuration.feature_flags.group_id is 'What is hashed with the id (the flag''s key by custom); flags that share it reach the same ids first.';
comment on column configuration.feature_flags.rollout is 'Percentage of all ids that get it.';
comment on column configuration.feature_flags.segment_key is 'Segment that it is rolled out to further, or first; null is none.';
comment on column configuration.feature_flags.segment_rollout is 'Percentage of the ids in the segment that get it.';
comment on column configuration.feature_flags.has_overrides is 'Whether anybody was ever given an override; they are not looked up otherwise.';
comment on column configuration.feature_flags.created_at is 'When it was created.';
comment on column configuration.feature_flags.updated_at is 'When it last changed.';

create table configuration.flag_variants (
    flag_key text not null,
    position smallint not null,
    variant  text not null,
    weight   integer not null,
    payload  jsonb not null default '{}',
    constraint flag_variants_pkey primary key (flag_key, position),
    constraint flag_variants_variant_key unique (flag_key, variant),
    constraint flag_variants_flag_fkey foreign key (flag_key)
        references configuration.feature_flags (key) on delete cascade,
    constraint flag_variants_variant_check check (variant <> 'disabled'),
    constraint flag_variants_weight_check check (weight >= 0)
);
comment on table configuration.flag_variants is 'What a flag can be for those who get it.';
comment on column configuration.flag_variants.flag_key is 'The flag.';
comment on column configuration.flag_variants.position is 'Place in the list; the order decides who gets which.';
comment on column configuration.flag_variants.variant is 'Name; disabled is what those get who do not have the flag.';
comment on column configuration.flag_variants.weight is 'Its share of the sum of weights.';
comment on column configuration.flag_variants.payload is 'What the application is to know of it.';

create table configuration.tenant_flag_overrides (
    tenant_id  uuid not null,
    flag_key   text not null,
    enabled    boolean not null,
    variant    text,
    updated_at timestamptz not null default now(),
    constraint tenant_flag_overrides_pkey primary key (tenant_id, flag_key),
    constraint tenant_flag_overrides_tenant_fkey foreign key (tenant_id) references public.tenants (id),
    constraint tenant_flag_overrides_variant_check check (enabled or variant is null)
);
comment on table configuration.tenant_flag_overrides is 'Tenants for whom a flag is on or off whatever its rollout.';
comment on column configuration.tenant_flag_overrides.tenant_id is 'The tenant.';
comment on column configuration.tenant_flag_overrides.flag_key is 'The flag; no foreign key to a shared table, a trigger checks it.';
comment on column configuration.tenant_flag_overrides.enabled is 'On or off.';
comment on column configuration.tenant_flag_overrides.variant is 'Variant they get; null leaves it to the weights.';
comment on column configuration.tenant_flag_overrides.updated_at is 'When it was set.';

create table configuration.user_flag_overrides (
    tenant_id  uuid not null,
    user_id    uuid not null,
    flag_key   text not null,
    enabled    boolean not null,
    variant    text,
    updated_at timestamptz not null default now(),
    constraint user_flag_overrides_pkey primary key (tenant_id, user_id, flag_key),
    constraint user_flag_overrides_member_fkey foreign key (tenant_id, user_id)
        references users.tenant_users (tenant_id, user_id) on delete cascade,
    constraint user_flag_overrides_variant_check check (enabled or variant is null)
);
comment on table configuration.user_flag_overrides is 'Users for whom a flag is on or off whatever their tenant has.';
comment on column configuration.user_flag_overrides.tenant_id is 'The tenant they are in.';
comment on column configuration.user_flag_overrides.user_id is 'The user; the override ends with their membership.';
comment on column configuration.user_flag_overrides.flag_key is 'The flag; no foreign key to a shared table, a trigger checks it.';
comment on column configuration.user_flag_overrides.enabled is 'On or off.';
comment on column configuration.user_flag_overrides.variant is 'Variant they get; null leaves it to the weights.';
comment on column configuration.user_flag_overrides.updated_at is 'When it was set.';

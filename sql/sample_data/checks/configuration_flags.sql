-- configuration.feature_flags: there are as many as the scale says (one for twenty tenants, and twenty at least), and whoever was given or denied one was there.
with wanted as (
    select 'number' as what, null::uuid as tenant_id, least(1000, greatest(20, tenants / 20))::text as detail
    from made
    where least(1000, greatest(20, tenants / 20)) <> (select count(*) from configuration.feature_flags)
), overridden as (
    select tenant_id, null::uuid as user_id, flag_key, variant, updated_at from configuration.tenant_flag_overrides
    union all
    select tenant_id, user_id, flag_key, variant, updated_at from configuration.user_flag_overrides
), misplaced as (
    select 'override', o.tenant_id, o.flag_key
    from overridden as o
    join tenant_lives as t using (tenant_id)
    left join configuration.feature_flags as f on f.key = o.flag_key
    left join configuration.flag_variants as v on v.flag_key = o.flag_key and v.variant = o.variant
    left join users.tenant_users as m on m.tenant_id = o.tenant_id and m.user_id = o.user_id
    where f.has_overrides is not true
       or o.updated_at not between greatest(f.created_at, t.since, m.created at time zone 'UTC') and t.until
       or o.variant is not null and v.variant is null
)
select * from wanted
union all
select * from misplaced

-- What must hold of the run's own tenants after every arm; each query returns the rows that break it.

-- name: flags_steady
-- The same answer for the same user while nothing changed.
select 'the answer changed meanwhile', outcome, sum(calls) from scratch_load.outcomes
where operation = 'flag_steady' group by outcome
union all
select 'the answer has changed', a.tenant_id || ' ' || a.user_id || ' ' || a.flag_key, a.answer from scratch_load.answers a
where configuration.flag_enabled(a.tenant_id, a.user_id, a.flag_key) <> a.is_on;

-- name: flags_kept
-- Who had a flag keeps it while its rollout does not shrink.
select 'a flag was taken back', t.tenant_id, t.user_id, t.flag_key from scratch_load.told t
where not configuration.flag_enabled(t.tenant_id, t.user_id, t.flag_key);

-- name: flags_overridden
-- The kill switch beats overrides, of the user over the tenant's; and those beat the rollout.
with overridden as (
    select a.account, a.tenant_id, m.member, scratch_load.member(a.account, m.member) as user_id, o.flag_key,
           coalesce(u.enabled, t.enabled) as enabled
    from (select tenant_id, flag_key from configuration.tenant_flag_overrides
          union select tenant_id, flag_key from configuration.user_flag_overrides) as o
    join scratch_load.accounts a using (tenant_id)
    cross join generate_series(1, 4) as m (member)
    left join configuration.tenant_flag_overrides t on t.tenant_id = o.tenant_id and t.flag_key = o.flag_key
    left join configuration.user_flag_overrides u
        on u.tenant_id = o.tenant_id and u.user_id = scratch_load.member(a.account, m.member) and u.flag_key = o.flag_key
)
select 'not what was overridden', o.tenant_id, o.user_id, o.flag_key, o.enabled
from overridden o
join configuration.feature_flags f on f.key = o.flag_key
where o.enabled is not null
  and configuration.flag_enabled(o.tenant_id, o.user_id, o.flag_key) <> (f.enabled and o.enabled)
union all
select 'an override is not looked for', o.tenant_id, o.user_id, o.flag_key, o.enabled
from overridden o
join configuration.feature_flags f on f.key = o.flag_key
where o.enabled is not null and not f.has_overrides;

-- name: settings_valid
select 'not what its setting takes', h.tenant_id, h.setting_key, h.value
from (select tenant_id, setting_key, value from configuration.tenant_settings
      union all
      select tenant_id, setting_key, value from configuration.user_preferences) as h
join scratch_load.accounts a using (tenant_id)
left join configuration.settings s on s.key = h.setting_key
where s.key is null or lab.setting_refusal(s, h.value) is not null;

-- name: settings_resolved
-- User over tenant over plan over everybody, and one setting like all of them.
select 'the nearest choice does not hold', u.tenant_id, u.user_id, u.setting_key, u.value
from configuration.user_preferences u
join scratch_load.accounts a using (tenant_id)
where configuration.resolve_setting(u.tenant_id, u.user_id, u.setting_key) <> u.value
union all
select 'one look-up is not like that of all', a.tenant_id, scratch_load.member(a.account, 1), e.setting_key, e.value
from scratch_load.accounts a
cross join lateral configuration.settings_in_effect(a.tenant_id, scratch_load.member(a.account, 1), 'interface') e
where a.account <= 50
  and configuration.resolve_setting(a.tenant_id, scratch_load.member(a.account, 1), e.setting_key) <> e.value;

-- name: policies_kept
-- A limit that is imposed never rises at the edge; a list never has what all of its versions lack.
select 'more was sent than the policy allows', d.tenant_id, d.day, sum(d.sent), p.imposed_limit
from infrastructure.daily_sends d
join scratch_load.accounts a using (tenant_id)
join configuration.tenant_policies p on p.tenant_id = d.tenant_id and p.policy_key = 'emails_per_day'
group by d.tenant_id, d.day, p.imposed_limit having sum(d.sent) > p.imposed_limit
union all
select 'a mailbox is with a provider that was never allowed', e.tenant_id, null, count(*), null
from infrastructure.email_accounts e
join scratch_load.accounts a using (tenant_id)
where e.provider = 'sendgrid'
group by e.tenant_id;

-- name: sends_counted
with counted as (
    select d.tenant_id, sum(d.sent) as sent
    from infrastructure.daily_sends d join scratch_load.accounts a using (tenant_id)
    group by d.tenant_id
), noted as (
    select tenant_id, sum(sent) as sent from scratch_load.sends group by tenant_id
)
select 'the counter is not what was sent', tenant_id, c.sent, n.sent
from counted c full join noted n using (tenant_id)
where c.sent is distinct from n.sent;

-- name: sample_data_untouched
select 'a flag of the sample data changed', f.key
from configuration.feature_flags f, scratch_load.began b
where f.key not like 'load-%' and f.updated_at >= b.at
union all
select 'a setting of the sample data changed', s.key
from configuration.settings s, scratch_load.began b
where s.key not like 'load.%' and s.updated_at >= b.at
union all
select 'a tenant of the sample data has another policy', p.tenant_id::text
from configuration.tenant_policies p, scratch_load.began b
where p.updated_at >= b.at and not exists (select from scratch_load.accounts a where a.tenant_id = p.tenant_id);

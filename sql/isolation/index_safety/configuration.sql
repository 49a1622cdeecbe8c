-- Operations of configuration, for a user of the tenant.

-- name: adopt_policy
select configuration.adopt_policy(lab.current_tenant(), 'emails_per_day', 1000, null, now());

-- name: policy_allows
select configuration.policy_allows(lab.current_tenant(), 'allowed_providers', 'google');

-- name: policy_limit
select configuration.policy_limit(lab.current_tenant(), 'emails_per_day');

-- name: bucket
select configuration.bucket('group', lab.current_tenant());

-- name: flag_enabled
select configuration.flag_enabled(m.tenant_id, m.user_id, f.key)
from users.tenant_users m
cross join configuration.feature_flags f
where m.tenant_id = lab.current_tenant() and m.deleted is null;

-- name: flag_variant
select configuration.flag_variant(m.tenant_id, m.user_id, f.key)
from users.tenant_users m
cross join configuration.feature_flags f
where m.tenant_id = lab.current_tenant() and m.deleted is null;

-- name: flags_in_effect
select f.*
from users.tenant_users m
cross join configuration.flags_in_effect(m.tenant_id, m.user_id) f
where m.tenant_id = lab.current_tenant() and m.deleted is null;

-- name: in_segment
select configuration.in_segment(m.tenant_id, m.user_id, g.key)
from users.tenant_users m
cross join configuration.segments g
where m.tenant_id = lab.current_tenant() and m.deleted is null;

-- name: resolve_setting
select configuration.resolve_setting(m.tenant_id, m.user_id, s.key)
from users.tenant_users m
cross join configuration.settings s
where m.tenant_id = lab.current_tenant() and m.deleted is null;

-- name: set_tenant_setting
select configuration.set_tenant_setting(lab.current_tenant(), 'campaigns.time_zone', '"UTC"', null, now());
select configuration.set_tenant_setting(lab.current_tenant(), 'campaigns.time_zone', null, null, now());

-- name: set_user_preference
select configuration.set_user_preference(m.tenant_id, m.user_id, 'interface.theme', '"dark"', now())
from users.tenant_users m where m.tenant_id = lab.current_tenant() and m.deleted is null
order by m.user_id limit 1;
select configuration.set_user_preference(m.tenant_id, m.user_id, 'interface.theme', null, now())
from users.tenant_users m where m.tenant_id = lab.current_tenant() and m.deleted is null
order by m.user_id limit 1;

-- name: settings_in_effect
select s.*
from users.tenant_users m
cross join configuration.settings_in_effect(m.tenant_id, m.user_id, 'campaigns') s
where m.tenant_id = lab.current_tenant() and m.deleted is null;

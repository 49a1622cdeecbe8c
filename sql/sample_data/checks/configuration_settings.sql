-- configuration.tenant_settings: every value is one that its setting accepts, set by somebody who could while they could.
with held as (
    select tenant_id, updated_by as user_id, setting_key, value, updated_at, '{tenant,user}'::text[] as scopes
    from configuration.tenant_settings
    union all
    select tenant_id, user_id, setting_key, value, updated_at, '{user}'
    from configuration.user_preferences
)
select h.*
from held as h
join tenant_lives as t using (tenant_id)
left join configuration.settings as s on s.key = h.setting_key
left join users.tenant_users as m on m.tenant_id = h.tenant_id and m.user_id = h.user_id
where s.key is null
   or not s.scope = any (scopes)
   or lab.setting_refusal(s, h.value) is not null
   or m.user_id is null
   or h.updated_at not between (m.created at time zone 'UTC') and least(t.until, m.deleted at time zone 'UTC')

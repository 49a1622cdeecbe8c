-- users.tenant_users: every tenant has exactly one owner, who is still a member.
select t.id, count(m.user_id) as owners
from public.tenants as t
left join users.tenant_users as m on m.tenant_id = t.id and 'owner' = any (m.roles) and m.deleted is null
group by t.id
having count(m.user_id) <> 1

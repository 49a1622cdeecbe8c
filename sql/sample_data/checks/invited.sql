-- auth.invites: whoever invites is a member of the inviting tenant.
select i.tenant_id, i.id, i.created_by
from auth.invites as i
left join users.tenant_users as m
    on m.tenant_id = i.tenant_id and m.user_id = i.created_by and m.deleted is null
where m.user_id is null

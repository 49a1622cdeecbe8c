-- users.tenant_users: a member is a user who had signed up, of a tenant that existed, and leaves no later than the user's account.
select m.tenant_id, m.user_id
from users.tenant_users as m
join tenant_lives as t using (tenant_id)
left join users.users as u on u.id = m.user_id
where u.id is null
   or m.created < u.created
   or m.created at time zone 'UTC' not between t.since and t.until
   or m.deleted is distinct from u.deleted

-- auth.sessions: nobody is logged in who was removed, has no credentials, or signed up later.
select s.id, s.user_id
from made
cross join auth.sessions as s
join users.users as u on u.id = s.user_id
where u.deleted is not null
   or u.created at time zone 'UTC' > as_of
   or not exists (select from auth.credentials as c where c.user_id = u.id)

-- campaigns.campaigns: a campaign's dates agree with its status, its tenant lived, and who made it was a member then.
select c.tenant_id, c.id, c.status
from made
cross join sample_campaigns as c
join tenant_lives as t using (tenant_id)
left join users.tenant_users as m on m.tenant_id = c.tenant_id and m.user_id = c.created_by
where (c.status in ('draft', 'scheduled')) <> (c.started_at is null)
   or (c.status in ('finished', 'cancelled')) <> (c.finished_at is not null)
   or (c.status = 'scheduled') <> (c.scheduled_at > as_of)
   or c.scheduled_at < c.created_at
   or c.started_at < greatest(c.created_at, c.scheduled_at)
   or c.finished_at < c.started_at
   or c.created_at < t.since
   or greatest(c.updated_at, c.started_at, c.finished_at) > t.until
   or (c.status = 'running' and t.status <> 'active')
   or m.user_id is null
   or m.created at time zone 'UTC' > c.created_at

-- integration.notifications: what arrived was tried, in order, to a member; what did not was tried often enough or is still being tried.
select n.tenant_id, n.id, n.status
from integration.notifications as n
join tenant_lives as t using (tenant_id)
left join users.tenant_users as m on m.tenant_id = n.tenant_id and m.user_id = n.user_id
where m.user_id is null
   or n.created_at not between greatest(t.since, m.created at time zone 'UTC') and least(t.until, m.deleted at time zone 'UTC')
   or n.delivered_at not between n.created_at and t.until
   or n.read_at not between n.delivered_at and t.until
   or n.next_attempt_at < n.created_at
   or (n.channel = 'in_app') <> (n.attempts = 0 and n.delivered_at = n.created_at and n.delivered_at is not null)
   or case n.status when 'dead' then n.attempts <> 18
                    when 'failed' then n.attempts not between 1 and 17
                    when 'pending' then n.attempts <> 0
                    when 'read' then n.channel <> 'in_app'
                    else n.channel <> 'in_app' and n.attempts = 0 end

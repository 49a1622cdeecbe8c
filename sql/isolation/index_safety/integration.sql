-- Operations of integration, for a user of the tenant.

-- name: audience
select a.* from integration.audience(lab.current_tenant(), 'campaign.started', null) a;

-- name: notify
select integration.notify(lab.current_tenant(), 'campaign.started', '{}', null, null, now());

-- name: unread_notifications
select n.*
from users.tenant_users m
left join integration.unread_notifications(m.tenant_id, m.user_id, 10) n on true
where m.tenant_id = lab.current_tenant() and m.deleted is null;

-- name: mark_read
select integration.mark_read(m.tenant_id, m.user_id, null, now())
from users.tenant_users m
where m.tenant_id = lab.current_tenant() and m.deleted is null;

-- name: set_notification_preference
-- Said, and taken back.
select integration.set_notification_preference(m.tenant_id, m.user_id, 'digest', 'email', wanted, now())
from users.tenant_users m
cross join (values (true), (null)) as said (wanted)
where m.tenant_id = lab.current_tenant() and m.deleted is null;

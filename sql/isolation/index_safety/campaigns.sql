-- Operations of campaigns.

-- name: create_campaign
select * from campaigns.create_campaign(lab.current_tenant(), 'Index safety', 'UTC', null, now());

-- name: set_window
select campaigns.set_window(c.tenant_id, c.id, '09:00', '17:00', '{1,2,3}', 10, now())
from campaigns.campaigns c
where c.tenant_id = lab.current_tenant() and c.status = 'draft'
limit 1;

-- name: add_step
-- The first of a campaign, a condition after it, and what to ask.
select * from campaigns.create_campaign(lab.current_tenant(), 'Index safety', 'UTC', null, now());
select campaigns.add_step(c.tenant_id, c.id, 'wait', interval '1 day')
from campaigns.campaigns c
where c.tenant_id = lab.current_tenant() and c.name = 'Index safety';
select campaigns.add_step(s.tenant_id, s.campaign_id, 'condition', interval '1 day', s.id)
from campaigns.campaigns c
join campaigns.steps s on s.tenant_id = lab.current_tenant() and s.campaign_id = c.id
where c.tenant_id = lab.current_tenant() and c.name = 'Index safety';
select campaigns.add_condition(s.tenant_id, s.id, 'opened', false, 3)
from campaigns.campaigns c
join campaigns.steps s on s.tenant_id = lab.current_tenant() and s.campaign_id = c.id and s.kind = 'condition'
where c.tenant_id = lab.current_tenant() and c.name = 'Index safety';

-- name: save_template
-- A new one, and a version more of it.
select * from campaigns.save_template(lab.current_tenant(), null, 'Index safety', 'Hello', 'templates/1', null, null, now());
select v.*
from campaigns.templates t
cross join campaigns.save_template(t.tenant_id, t.id, 'Index safety', 'Hello', 'templates/2', null, null, now()) v
where t.tenant_id = lab.current_tenant() and t.name = 'Index safety';

-- name: move_template
select campaigns.move_template(t.tenant_id, t.id, null, now())
from campaigns.templates t
where t.tenant_id = lab.current_tenant() and t.status = 'active'
limit 1;

-- name: tag_template
select campaigns.tag_template(t.tenant_id, t.id, '{new,newer}')
from campaigns.templates t
where t.tenant_id = lab.current_tenant() and t.status = 'active'
limit 1;

-- name: set_template_status
select campaigns.save_template(lab.current_tenant(), null, 'Index safety', 'Hello', 'templates/1', null, null, now());
select campaigns.set_template_status(t.tenant_id, t.id, 'archived', now())
from campaigns.templates t
where t.tenant_id = lab.current_tenant() and t.name = 'Index safety';

-- name: delete_template
select campaigns.save_template(lab.current_tenant(), null, 'Index safety', 'Hello', 'templates/1', null, null, now());
select campaigns.set_template_status(t.tenant_id, t.id, 'archived', now())
from campaigns.templates t
where t.tenant_id = lab.current_tenant() and t.name = 'Index safety';
select campaigns.delete_template(t.tenant_id, t.id)
from campaigns.templates t
where t.tenant_id = lab.current_tenant() and t.name = 'Index safety';

-- name: import_leads
-- Somebody new, and somebody known, onto a list.
select i.*
from campaigns.leads l
left join campaigns.lists into_list on into_list.tenant_id = lab.current_tenant()
cross join lateral campaigns.import_leads(
    l.tenant_id, jsonb_build_array(jsonb_build_object('email', l.email), jsonb_build_object('email', 'index.safety@one.example')),
    into_list.id, now()) i
where l.tenant_id = lab.current_tenant()
limit 1;

-- name: list_leads
-- The first page, and one after it.
select * from campaigns.list_leads(lab.current_tenant(), 'new', 10);
select n.*
from (select tenant_id, created_at, id from campaigns.leads where tenant_id = lab.current_tenant() and status = 'contacted' order by created_at desc limit 1) l
cross join campaigns.list_leads(l.tenant_id, 'contacted', 10, l.created_at, l.id) n;

-- name: list_campaigns
select * from campaigns.list_campaigns(lab.current_tenant(), 'running', 10);

-- name: move_lead
select campaigns.move_lead(l.tenant_id, l.id, 'opened', now())
from campaigns.leads l
where l.tenant_id = lab.current_tenant() and l.status = 'contacted'
limit 1;

-- name: erase_lead
select campaigns.erase_lead(l.tenant_id, l.id, now())
from campaigns.leads l
where l.tenant_id = lab.current_tenant()
limit 1;

-- name: is_suppressed
select campaigns.is_suppressed(lab.current_tenant(), 'index.safety@one.example', now());

-- name: suppress
select campaigns.suppress(l.tenant_id, l.email, 'manual', null, now())
from campaigns.leads l
where l.tenant_id = lab.current_tenant() and l.status = 'contacted'
limit 1;

-- name: lift_suppression
select campaigns.suppress(lab.current_tenant(), 'index.safety@one.example', 'manual', null, now());
select campaigns.lift_suppression(lab.current_tenant(), 'index.safety@one.example');

-- name: enroll_leads
select campaigns.enroll_leads(c.tenant_id, c.id, array(
    select l.id from campaigns.leads l where l.tenant_id = lab.current_tenant() order by l.id limit 5), now())
from campaigns.campaigns c
where c.tenant_id = lab.current_tenant() and c.status = 'running'
limit 1;

-- name: enroll_again
select campaigns.enroll_again(e.tenant_id, e.campaign_id, e.lead_id, now())
from campaigns.enrollments e
where e.tenant_id = lab.current_tenant() and e.status = 'completed'
limit 1;

-- name: stop_enrollments
select campaigns.stop_enrollments(e.tenant_id, e.lead_id, 'replied', now())
from campaigns.enrollments e
where e.tenant_id = lab.current_tenant() and e.status = 'active'
limit 1;

-- name: schedule_campaign
-- And back to a draft.
select campaigns.schedule_campaign(c.tenant_id, c.id, now() + interval '1 day', now())
from campaigns.campaigns c
where c.tenant_id = lab.current_tenant() and c.status = 'paused'
limit 1;
select campaigns.unschedule_campaign(c.tenant_id, c.id, now())
from campaigns.campaigns c
where c.tenant_id = lab.current_tenant() and c.status = 'scheduled'
limit 1;

-- name: start_campaign
select campaigns.start_campaign(c.tenant_id, c.id, now())
from campaigns.campaigns c
where c.tenant_id = lab.current_tenant() and c.status = 'paused'
limit 1;

-- name: pause_campaign
select campaigns.pause_campaign(c.tenant_id, c.id, 'manual', now())
from campaigns.campaigns c
where c.tenant_id = lab.current_tenant() and c.status = 'running'
limit 1;

-- name: set_status
select campaigns.set_status(c.tenant_id, c.id, 'paused', now(), 'manual')
from campaigns.campaigns c
where c.tenant_id = lab.current_tenant() and c.status = 'running'
limit 1;

-- name: finish_campaign
select campaigns.finish_campaign(c.tenant_id, c.id, now())
from campaigns.campaigns c
where c.tenant_id = lab.current_tenant() and c.status = 'running'
limit 1;

-- name: cancel_campaign
select campaigns.cancel_campaign(c.tenant_id, c.id, now())
from campaigns.campaigns c
where c.tenant_id = lab.current_tenant() and c.status = 'running'
limit 1;

-- name: end_campaign
select campaigns.end_campaign(c.tenant_id, c.id, 'cancelled', now())
from campaigns.campaigns c
where c.tenant_id = lab.current_tenant() and c.status = 'paused'
limit 1;

-- name: campaign_progress
select p.*
from campaigns.campaigns c
cross join campaigns.campaign_progress(c.tenant_id, c.id) p
where c.tenant_id = lab.current_tenant() and c.status = 'running'
limit 1;

-- name: totals
select t.*
from campaigns.campaigns c
cross join campaigns.totals(c.tenant_id, c.id) t
where c.tenant_id = lab.current_tenant() and c.status = 'running'
limit 1;

-- name: count
select campaigns.count(c.tenant_id, c.id, 'opened')
from campaigns.campaigns c
where c.tenant_id = lab.current_tenant() and c.status = 'running'
limit 1;

-- name: next_window
select campaigns.next_window(now(), 'UTC', '09:00', '17:00', '{1,2,3}');

-- name: conditions_hold
select campaigns.conditions_hold(e.tenant_id, s.id, e.campaign_id, e.lead_id, now())
from campaigns.steps s
join campaigns.enrollments e on e.tenant_id = lab.current_tenant() and e.campaign_id = s.campaign_id
where s.tenant_id = lab.current_tenant() and s.kind = 'condition'
limit 1;

-- name: record_event
select campaigns.record_event(e.tenant_id, e.campaign_id, e.lead_id, x.step_id, kind, now())
from (
    select tenant_id, campaign_id, lead_id, id from campaigns.enrollments
    where tenant_id = lab.current_tenant() and status = 'completed' order by id limit 1
) e
join campaigns.step_executions x on x.tenant_id = lab.current_tenant() and x.enrollment_id = e.id and x.status = 'sent'
cross join unnest('{opened,replied}'::text[]) as kind;

-- name: unsubscribe
select campaigns.unsubscribe(e.tenant_id, e.campaign_id, e.lead_id, x.step_id, now())
from campaigns.enrollments e
join campaigns.step_executions x on x.tenant_id = lab.current_tenant() and x.enrollment_id = e.id and x.status = 'sent'
where e.tenant_id = lab.current_tenant() and e.status = 'completed'
limit 1;

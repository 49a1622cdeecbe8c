-- campaigns.steps: a campaign's steps are a tree: numbered from 1 without a gap, made before it started, one first, yes and no after each condition, content for each action.
select c.tenant_id, c.id, count(s.id) as steps
from sample_campaigns as c
left join sample_steps as s on s.tenant_id = c.tenant_id and s.campaign_id = c.id
left join sample_steps as parent
    on parent.tenant_id = s.tenant_id and parent.campaign_id = s.campaign_id and parent.id = s.parent_id
left join campaigns.templates as t on t.tenant_id = s.tenant_id and t.id = s.template_id and t.status = 'active'
left join lateral (
    select count(*) as questions from campaigns.step_conditions as q
    where q.tenant_id = s.tenant_id and q.step_id = s.id) as asked on true
left join lateral (
    select array_agg(later.branch order by later.branch) as branches from sample_steps as later
    where later.tenant_id = s.tenant_id and later.parent_id = s.id) as children on true
group by c.tenant_id, c.id, c.created_at, c.started_at
having count(s.id) not between 2 and 9
    or max(s.position) <> count(s.id)
    or min(s.created_at) < c.created_at
    or max(s.created_at) > c.started_at
    or count(*) filter (where s.parent_id is null) <> 1
    or bool_or(s.parent_id is not null and coalesce(parent.position >= s.position, true))
    or bool_or((s.kind = 'condition') <> (asked.questions > 0))
    or bool_or(case when s.kind = 'condition' then children.branches is distinct from '{no,yes}'
                    else coalesce(children.branches, '{next}') <> '{next}' end)
    or bool_or((s.kind = 'action') <> (t.id is not null))

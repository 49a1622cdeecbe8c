-- campaigns.template_versions: every reference to content resolves: versions count from 1, a key is used once, and what was sent was the newest version of its step's template then.
with versions as (
    select v.*, t.created_at as template_created, t.id as found,
           row_number() over by_template as place, count(*) over (partition by v.storage_key) as uses,
           lead(v.created_at, 1, 'infinity') over by_template as replaced_at
    from campaigns.template_versions as v
    left join campaigns.templates as t on t.tenant_id = v.tenant_id and t.id = v.template_id
    window by_template as (partition by v.tenant_id, v.template_id order by v.version)
)
select 'version' as what, tenant_id, id
from versions
where found is null or version <> place or uses <> 1 or created_at < template_created
   or storage_key <> 'templates/' || template_id || '/' || version
union all
select 'template without content', t.tenant_id, t.id
from campaigns.templates as t
where (t.status = 'draft') = exists (
    select from campaigns.template_versions as v where v.tenant_id = t.tenant_id and v.template_id = t.id)
union all
select 'mail', x.tenant_id, x.id
from sample_executions as x
join sample_steps as s on s.tenant_id = x.tenant_id and s.id = x.step_id
left join versions as v on v.tenant_id = x.tenant_id and v.id = x.template_version_id
where (x.status = 'sent') <> (v.id is not null)
   or v.template_id <> s.template_id
   or x.executed_at not between v.created_at and v.replaced_at

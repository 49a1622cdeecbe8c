-- What the oracle reads, as lab_platform: all references beside all objects, whatever was noted of them.

-- name: reference_table
create temp table referred (tenant_id uuid, storage_key text);

-- name: references_out
copy (select tenant_id, storage_key from campaigns.template_versions) to stdout (format binary);

-- name: references_in
copy referred from stdin (format binary);

-- name: index_references
create index on referred (tenant_id, storage_key);
analyze referred;

-- name: judge
-- Faults as they are now, with up to three keys each: dangling are versions whose object is missing or
-- not what its hash says; orphans are objects of no version that should have gone by now.
with faults as (
    select 'dangling' as fault, r.storage_key
    from referred r
    where not exists (
        select from content.objects o
        where o.tenant_id = r.tenant_id and o.storage_key = r.storage_key and o.sha256 = pg_catalog.sha256(o.body))
    union all
    select 'orphan', o.storage_key
    from content.objects o
    where not exists (select from referred r where r.tenant_id = o.tenant_id and r.storage_key = o.storage_key)
      and coalesce(o.lease_until, o.changed_at) < clock_timestamp() - %(grace)s
)
select kind.fault, count(f.storage_key), coalesce((array_agg(f.storage_key order by f.storage_key) filter (where f.storage_key is not null))[1:3], '{}')
from (values ('dangling'), ('orphan')) as kind (fault)
left join faults f using (fault)
group by kind.fault;

-- name: running_without_content
-- Campaigns that run though the OLTP knows that what they send is lost.
select count(*)
from campaigns.contents k
join campaigns.template_versions v on v.tenant_id = k.tenant_id and v.storage_key = k.storage_key
join campaigns.steps s on s.tenant_id = v.tenant_id and s.template_id = v.template_id
join campaigns.campaigns c on c.tenant_id = s.tenant_id and c.id = s.campaign_id and c.status = 'running'
where k.status <> 'claimed'
  and not exists (select from campaigns.template_versions newer
                  where newer.tenant_id = v.tenant_id and newer.template_id = v.template_id and newer.version > v.version);

-- name: owners
-- Some tenants.
select distinct tenant_id from content.objects order by 1 limit 5;

-- name: foreign
-- Deliberately without a filter by tenant.
select 'content.objects', count(*) from content.objects where tenant_id is distinct from %(tenant)s having count(*) > 0
union all
select 'content.uses', count(*) from content.uses where tenant_id is distinct from %(tenant)s having count(*) > 0;

-- name: unforced
select c.oid::regclass::text from pg_class c
where c.relnamespace = 'content'::regnamespace and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity);

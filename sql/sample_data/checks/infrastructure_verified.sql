-- infrastructure.domains: a domain's status is what its records say, and a verified name is its tenant's alone.
select d.tenant_id, d.id, d.status, v.usable
from infrastructure.domains as d
join infrastructure.domain_verification as v on v.tenant_id = d.tenant_id and v.domain_id = d.id
left join infrastructure.verified_domains as o on o.name_norm = d.name_norm and o.domain_id = d.id
join tenant_lives as t on t.tenant_id = d.tenant_id
where d.status <> 'decommissioned' and (d.status = 'verified') <> v.usable
   or (d.status = 'verified') <> (o.owner_tenant_id is not distinct from d.tenant_id)
   or (d.status = 'pending') <> (d.verified_at is null)
   or t.status = 'deleted' and d.status <> 'decommissioned'
   or d.created_at < t.since
union all
select o.owner_tenant_id, o.domain_id, 'owned by nobody', null
from infrastructure.verified_domains as o
left join infrastructure.domains as d on d.tenant_id = o.owner_tenant_id and d.id = o.domain_id
where d.id is null

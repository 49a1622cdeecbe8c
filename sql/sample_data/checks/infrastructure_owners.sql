-- infrastructure.ip_assignments: an address has one owner at a time, and now the one that it names; who is deleted has none.
select 'two owners' as what, a.smtp_ip_id
from infrastructure.ip_assignments as a
join infrastructure.ip_assignments as b
    on b.smtp_ip_id = a.smtp_ip_id and b.id <> a.id
    and tstzrange(b.assigned_at, b.released_at) && tstzrange(a.assigned_at, a.released_at)
union all
select 'another owner', i.id
from infrastructure.smtp_ips as i
left join infrastructure.ip_assignments as a on a.smtp_ip_id = i.id and a.released_at is null
where i.owner_tenant_id is distinct from a.owner_tenant_id
union all
select 'a deleted owner', i.id
from infrastructure.smtp_ips as i
join tenant_lives as t on t.tenant_id = i.owner_tenant_id
where t.status = 'deleted'

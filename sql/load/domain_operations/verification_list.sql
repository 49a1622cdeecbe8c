-- The tenant's domains that are not verified, with the state of each kind of record.
\set account random_zipfian(1, :accounts, 1.1)
\startpipeline
select lab.enter_tenant(scratch_load.account(:account));
select v.name, v.status, v.spf, v.dkim, v.dmarc, v.mx, v.return_path, v.tracking, v.aligned, v.checked_at
from infrastructure.domain_verification v
where v.tenant_id = scratch_load.account(:account) and v.status in ('pending', 'failing')
order by v.name;
select scratch_load.assert_isolated(scratch_load.account(:account), array_agg(distinct tenant_id))
from (select tenant_id from infrastructure.domains limit 20) as seen;
\endpipeline

-- Two tenants' campaigns by their keys.
\set tenant random_zipfian(1, :tenants, 1.1)
\set other random(1, :tenants)
\startpipeline
select lab.enter_tenant(scratch_load.tenant(:tenant));
select scratch_load.assert_isolated(scratch_load.tenant(:tenant), array_agg(tenant_id))
from campaigns.campaigns
where id in (scratch_load.campaign(:tenant), scratch_load.campaign(:other));
\endpipeline

-- What the session's last transaction has left: no context, and nothing to see.
\set tenant random_zipfian(1, :tenants, 1.1)
\set other random(1, :tenants)
select scratch_load.assert_isolated(lab.current_tenant(), array_agg(tenant_id))
from campaigns.campaigns
where id in (scratch_load.campaign(:tenant), scratch_load.campaign(:other))
having count(*) > 0 or lab.current_tenant() is not null;

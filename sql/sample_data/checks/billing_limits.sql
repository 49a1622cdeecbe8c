-- billing.usage_counters: a counter that no override will change, and that is not of a month, carries what its tenant is granted.
select 'the limit on the counter is not the entitlement' as breach, c.tenant_id, c.feature_key,
       c.maximum, e.value
from billing.usage_counters c
cross join lateral billing.entitlements(c.tenant_id, '9999-01-01 00:00:00+00') e
where e.feature_key = c.feature_key and c.period_end = 'infinity' and c.valid_until = 'infinity'
  and c.maximum is distinct from e.value

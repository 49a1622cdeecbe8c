-- name: mart
select '00000000-0000-0000-0000-000000000000'::uuid as tenant_id, month as day,
       'cents of cost that month' as figure, sum(cents)::bigint as total
from marts.cost_monthly group by all
union all
select '00000000-0000-0000-0000-000000000000', month, 'cents of cost by reason that month',
       sum(used_cents + held_cents + idle_cents + former_cents + unattributed_cents)::bigint
from marts.cost_monthly group by all
union all
select '00000000-0000-0000-0000-000000000000', month, 'cents of cost of servers and addresses that month',
       sum(server_cents + address_cents)::bigint
from marts.cost_monthly group by all
union all
select tenant_id, null, 'cents of cost', sum(cents)::bigint from marts.cost_monthly where tenant_id is not null group by all;

-- name: staging
select '00000000-0000-0000-0000-000000000000'::uuid as tenant_id, date_trunc('month', starts_on)::date as day,
       'cents of cost ' || part || 'that month' as figure, sum(cents)::bigint as total
from staging.costs, unnest(['', 'by reason ', 'of servers and addresses ']) as figure (part) group by all
union all
select owner_tenant_id, null, 'cents of cost', sum(cents)::bigint
from staging.cost_shares where owner_tenant_id is not null group by all;

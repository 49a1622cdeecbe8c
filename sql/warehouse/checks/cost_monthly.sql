-- name: mart
select '00000000-0000-0000-0000-000000000000'::uuid as tenant_id,
       'cents of cost in ' || strftime(month, '%Y-%m') as figure, sum(cents)::bigint as total
from marts.cost_monthly group by all
union all
select '00000000-0000-0000-0000-000000000000', 'cents of cost by reason',
       sum(used_cents + held_cents + idle_cents + former_cents + unattributed_cents)::bigint
from marts.cost_monthly
union all
select '00000000-0000-0000-0000-000000000000', 'cents of cost of servers and addresses',
       sum(server_cents + address_cents)::bigint
from marts.cost_monthly
union all
select tenant_id, 'cents of cost', sum(cents)::bigint from marts.cost_monthly where tenant_id is not null group by all;

-- name: staging
select '00000000-0000-0000-0000-000000000000'::uuid as tenant_id,
       'cents of cost in ' || strftime(starts_on, '%Y-%m') as figure, sum(cents)::bigint as total
from staging.costs group by all
union all
select '00000000-0000-0000-0000-000000000000', 'cents of cost ' || part, sum(cents)::bigint
from staging.costs, unnest(['by reason', 'of servers and addresses']) as figure (part) group by part
union all
select owner_tenant_id, 'cents of cost', sum(cents)::bigint
from staging.cost_shares where owner_tenant_id is not null group by all;

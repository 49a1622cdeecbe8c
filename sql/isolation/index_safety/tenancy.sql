-- Operations of tenancy.

-- name: overview
select o.*
from users.tenant_users m
cross join tenancy.overview(array[m.tenant_id], m.user_id) o
where m.tenant_id = lab.current_tenant() and m.deleted is null
limit 1;

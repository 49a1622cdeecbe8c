-- The policy calls a helper that was declared IMMUTABLE for speed: a generic plan keeps the tenant that
-- it was made for.
-- on: campaigns.leads
create function lab.fast_tenant() returns uuid language sql immutable
    return nullif(current_setting('nile.tenant_id', true), '')::uuid;
grant execute on function lab.fast_tenant() to public;
alter policy tenant on campaigns.leads using (tenant_id = lab.fast_tenant());

-- The setting may name several tenants.
-- on: infrastructure.domains
alter policy tenant on infrastructure.domains
    using (tenant_id::text = any (string_to_array(current_setting('nile.tenant_id', true), ',')));

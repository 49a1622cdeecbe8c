-- Without a tenant in context, everything shows.
-- on: campaigns.campaigns
alter policy tenant on campaigns.campaigns
    using (tenant_id = coalesce(nullif(current_setting('nile.tenant_id', true), '')::uuid, tenant_id));

-- Whoever says that they are an administrator is one.
-- on: campaigns.leads
alter policy tenant on campaigns.leads
    using (tenant_id = nullif(current_setting('nile.tenant_id', true), '')::uuid
           or current_setting('app.is_admin', true) = 'true');

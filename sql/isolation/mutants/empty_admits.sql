-- An empty setting, which every transaction leaves behind, is taken for "all tenants".
-- on: billing.invoices
alter policy tenant on billing.invoices
    using (current_setting('nile.tenant_id', true) = '' or tenant_id = nullif(current_setting('nile.tenant_id', true), '')::uuid);

-- Billing: a tenant sees which customer of the provider it is, and nothing of the webhook inbox.

create policy tenant on billing.customers for select to lab_app
    using (owner_tenant_id = nullif(current_setting('nile.tenant_id', true), '')::uuid);

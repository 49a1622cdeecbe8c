set nile.tenant_id = {tenant}

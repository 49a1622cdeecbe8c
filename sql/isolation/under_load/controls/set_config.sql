select set_config('nile.tenant_id', {tenant}, false)

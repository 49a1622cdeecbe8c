-- As the application writes: the tenant is named as well.
update campaigns.steps
set updated_at = now()
where tenant_id = %(tenant)s and id = %(step)s
returning tenant_id

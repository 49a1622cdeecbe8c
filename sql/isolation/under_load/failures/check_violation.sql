-- fails with: 23514
update campaigns.steps
set position = 0
where tenant_id = %(tenant)s and id = %(step)s

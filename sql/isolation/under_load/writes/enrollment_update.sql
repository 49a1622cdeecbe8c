-- Aimed at two enrollments, of which one is the tenant's.
update campaigns.enrollments
set rotation = rotation + 1, updated_at = now()
where id in (%(enrollment)s, %(other_enrollment)s)
returning tenant_id

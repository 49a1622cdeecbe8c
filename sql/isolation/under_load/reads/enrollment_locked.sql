-- Locks the rows that it reads, where there is a context to lock in.
select tenant_id from campaigns.enrollments where id in (%(enrollment)s, %(other_enrollment)s) for update

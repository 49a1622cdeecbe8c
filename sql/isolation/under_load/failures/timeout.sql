-- fails with: 57014
-- runs for at most: 10ms
select tenant_id from campaigns.leads, pg_sleep(5) limit 20

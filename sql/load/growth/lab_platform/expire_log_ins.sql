-- A worker removes the few sessions that have expired.
select * from tenancy.expire_log_ins()

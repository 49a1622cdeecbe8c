-- A worker removes the few suppressions that have ended.
select campaigns.expire_suppressions()

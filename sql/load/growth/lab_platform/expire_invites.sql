-- A worker removes the few invites that have expired.
select tenancy.expire_invites()

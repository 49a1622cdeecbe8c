-- A worker takes the few notifications that are due.
select * from integration.claim_notifications()

-- A worker begins the few payments that are due.
select * from billing.claim_payments()

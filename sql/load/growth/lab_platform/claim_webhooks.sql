-- A worker takes the few events that are pending.
select * from billing.claim_webhooks()

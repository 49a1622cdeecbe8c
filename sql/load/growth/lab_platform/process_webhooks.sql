-- A worker processes the few events that are pending.
select * from billing.process_webhooks()

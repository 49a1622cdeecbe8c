-- A worker renews the few subscriptions that are due.
select * from billing.advance_subscriptions()

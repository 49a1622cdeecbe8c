-- A worker takes the few domains whose look-up is due.
select * from infrastructure.claim_dns_checks(100)

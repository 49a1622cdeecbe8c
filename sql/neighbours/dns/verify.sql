-- The verifier's own statements, each a transaction; DNS is asked between them.

-- name: claim
select tenant, domain, kind, type, host, expected from infrastructure.claim_dns_checks(%(batch)s, %(at)s)

-- name: record
select tenant, domain, status, refusal from infrastructure.record_dns_answers(%(answers)s, %(at)s)

-- name: due
select exists (select from infrastructure.domains d where d.next_check_at <= %(at)s)

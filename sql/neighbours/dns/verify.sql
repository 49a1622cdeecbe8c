-- The verifier's own statements, each a transaction; DNS is asked between them.

-- name: claim
select tenant::text, domain::text, kind, type, host, expected from infrastructure.claim_dns_checks(%(batch)s, %(at)s)

-- name: record
select tenant, domain, status, refusal from infrastructure.record_dns_answers(%(answers)s, %(at)s)

-- name: due
select exists (select from infrastructure.domains d where d.next_check_at <= %(at)s)

-- name: last_found
-- Every tenant's records as they were last found, and the platform's own.
select r.host, r.type, found
from infrastructure.dns_records r, unnest(r.observed) as found
where exists (select from infrastructure.domains d
              where d.tenant_id = r.tenant_id and d.id = r.domain_id and d.status <> 'decommissioned')
union
values ('spf.mailer.example', 'TXT', 'v=spf1 ip4:10.0.0.0/8 -all')

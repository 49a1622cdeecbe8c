-- A worker claims what is due and records what DNS answered, a domain at a time. One batch in fifty is lost
-- with its worker, and handed out anew.
\set lost random(1, 50)
insert into scratch_load.claims (session, tenant_id, domain_id)
select distinct :client_id::integer, c.tenant, c.domain
from infrastructure.claim_dns_checks(4, scratch_load.clock()) as c;
\if :lost = 1
delete from scratch_load.claims where session = :client_id;
\endif
select scratch_load.record_next(:client_id);
select scratch_load.record_next(:client_id);
select scratch_load.record_next(:client_id);
select scratch_load.record_next(:client_id);

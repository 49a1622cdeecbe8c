-- A worker charges what is due and records the results, some of them twice, as a webhook tells them again.
-- One batch in fifty is lost with its worker, and handed out anew when its lease has run out.
\set lost random(1, 50)
insert into scratch_load.charges (session, tenant_id, invoice_id, attempt_id, idempotency_key, amount_cents)
select :client_id, c.tenant_id, c.invoice_id, c.attempt_id, c.idempotency_key, c.amount_cents
from billing.claim_payments(5, scratch_load.clock(), interval '6 hours') as c;
\if :lost = 1
delete from scratch_load.charges where session = :client_id;
\endif
with charged as (
    delete from scratch_load.charges where session = :client_id
    returning tenant_id, attempt_id, scratch_load.charge(charges) as succeeded
), in_turn as materialized (
    select c.* from charged c cross join generate_series(1, 2) as time
    where time = 1 or :lost <= 10
    order by c.tenant_id, c.attempt_id
)
select scratch_load.note('pay_invoices', billing.finish_payment(
    tenant_id, attempt_id, succeeded, null, 'card_declined', scratch_load.clock()), :client_id)
from in_turn;

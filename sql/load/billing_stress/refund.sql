-- Some of a payment goes back; another that asks for too much is refused.
\set account random(1, :accounts)
\set cents random(1, 5000)
\set number random(1, 1000000000)
with newest as materialized (
    select p.tenant_id, p.id from billing.payments p
    where p.tenant_id = scratch_load.account(:account) and p.status = 'succeeded'
    order by p.id desc limit 1
), asked as materialized (
    select p.tenant_id, r.* from newest p
    cross join lateral billing.refund_payment(
        p.tenant_id, p.id, :cents, 'load ' || :number, 'A load run.', scratch_load.clock()) as r
)
select scratch_load.note('refund', coalesce(
    a.refusal, billing.finish_refund(a.tenant_id, a.refund_id, :number % 10 > 0, null, scratch_load.clock())), :client_id)
from asked a;

-- A mail was sent, and the transaction is rolled back: nothing grows, and no context may stay.
\set tenant random_zipfian(1, :tenants, 1.1)
\set other random(1, :tenants)
\set target random(1, :targets)
\startpipeline
begin;
select lab.enter_tenant(scratch_load.tenant(:tenant));
with sent as (
    insert into campaigns.events (tenant_id, campaign_id, lead_id, step_id, kind, occurred_at)
    select
        scratch_load.tenant(:tenant), scratch_load.campaign(:tenant), lead_id,
        scratch_load.step(:tenant), 'sent', now()
    from scratch_load.targets
    where tenant = :tenant and target = :target
    returning tenant_id
)
select scratch_load.assert_isolated(scratch_load.tenant(:tenant), array_agg(tenant_id)) from sent;
rollback;
\endpipeline

-- Bounces come back for an account, seldom many, and the tenant's reputation is judged.
\set account random_zipfian(1, :accounts, 1.1)
\set luck random(1, 15)
\set bounces 1
\if :luck = 1
\set bounces 30
\endif
select scratch_load.bounce(scratch_load.account(:account), :bounces, :client_id);
select scratch_load.note('sample_reputation', case when
    infrastructure.sample_reputation(scratch_load.account(:account), scratch_load.clock()) > 0
    then 'changed' else 'unchanged' end, :client_id);

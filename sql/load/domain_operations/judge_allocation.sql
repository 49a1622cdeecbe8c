-- allocate_address, with a look at what else was free.
\set account random(1, :accounts)
\set expected random(1, 2000)
select scratch_load.judge_allocation(scratch_load.account(:account), :expected, :client_id);

-- What the business earns: recurring revenue by plan, what moved it in a year, and the cash behind it.
select * from billing.mrr(scratch_load.clock());
select * from billing.mrr_movements(scratch_load.clock() - interval '1 year', scratch_load.clock());
select * from billing.revenue(scratch_load.clock() - interval '1 year', scratch_load.clock());

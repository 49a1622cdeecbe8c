-- Somebody looks for the best free address, and then asks for it: others have seen the same.
\set account random(1, :accounts)
\set expected random(0, 2000)
select smtp_ip_id from scratch_load.best_free(scratch_load.clock(), :expected) \gset
select scratch_load.assign(scratch_load.account(:account), :smtp_ip_id, :client_id);

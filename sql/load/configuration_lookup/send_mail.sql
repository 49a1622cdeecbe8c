-- Many sessions send for a few tenants until their policy forbids it.
\set account random(1, :edges)
select scratch_load.send(scratch_load.account(:account), :client_id);

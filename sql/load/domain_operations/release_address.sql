-- A tenant needs one address fewer.
\set account random(1, :accounts)
select scratch_load.release(scratch_load.account(:account), :client_id);

-- The platform chooses an address for a tenant that expects some volume.
\set account random(1, :accounts)
\set expected random(0, 2000)
select scratch_load.allocate(scratch_load.account(:account), :expected, :client_id);

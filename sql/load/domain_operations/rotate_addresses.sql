-- Addresses whose reputation is lost are replaced, and those that have rested come back.
select scratch_load.rotate(:client_id);
select infrastructure.reinstate_rested_ips(scratch_load.clock());

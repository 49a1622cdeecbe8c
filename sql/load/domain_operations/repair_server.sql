-- A server that failed is in order again.
select scratch_load.repair_server(:client_id);

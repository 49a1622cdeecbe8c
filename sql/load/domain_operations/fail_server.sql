-- A server is out of order, up to a quarter of them at once: a storm.
\set server random(1, :servers)
select scratch_load.fail_server(scratch_load.server(:server), :servers / 4, :client_id);

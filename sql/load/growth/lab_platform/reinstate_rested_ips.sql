-- A worker finds no address that has rested long enough.
select infrastructure.reinstate_rested_ips()

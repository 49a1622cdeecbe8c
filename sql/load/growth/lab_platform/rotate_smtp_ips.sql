-- A worker finds no address that has lost its reputation.
select * from infrastructure.rotate_smtp_ips()

-- A tenant is given whichever address suits it best.
select * from infrastructure.allocate_smtp_ip(%(tenant)s)

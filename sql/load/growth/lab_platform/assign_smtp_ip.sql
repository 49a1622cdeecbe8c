-- A tenant is given a certain address.
select infrastructure.assign_smtp_ip(%(tenant)s, %(free_address)s)

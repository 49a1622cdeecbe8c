-- A mail is sent.
select campaigns.execute_step(%(tenant)s, %(waiting)s)

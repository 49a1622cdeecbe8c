-- To a larger plan, at once and prorated.
select * from billing.change_plan(%(tenant)s, 'scale')

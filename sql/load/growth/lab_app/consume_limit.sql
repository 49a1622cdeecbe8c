-- Another mail of this month's.
select * from billing.consume_limit(%(tenant)s, 'emails_per_month', 1)

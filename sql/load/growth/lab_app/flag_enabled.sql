-- Whether a flag is on for a user.
select configuration.flag_enabled(%(tenant)s, %(member)s, 'growth_flag')

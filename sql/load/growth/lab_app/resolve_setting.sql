-- The value that holds for a user.
select configuration.resolve_setting(%(tenant)s, %(member)s, 'campaigns.bounce_pause_permille')

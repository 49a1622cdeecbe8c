-- A mail bounced: the lead is suppressed, and taken out of its campaigns.
select campaigns.record_event(%(tenant)s, %(campaign)s, %(mailed)s, %(first_step)s, 'bounced')

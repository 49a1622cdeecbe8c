-- A draft, if the plan has room for it.
select * from campaigns.create_campaign(%(tenant)s, 'New')

-- How many wait at each step of a campaign, and how many have passed it.
select * from campaigns.campaign_progress(%(tenant)s, %(campaign)s)

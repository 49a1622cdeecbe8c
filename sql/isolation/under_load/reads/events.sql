-- Events of two campaigns, of which one is the tenant's.
select tenant_id from campaigns.events where campaign_id in (%(campaign)s, %(other_campaign)s)

-- The tenant's campaign and another's, by their keys.
select tenant_id from campaigns.campaigns where id in (%(campaign)s, %(other_campaign)s)

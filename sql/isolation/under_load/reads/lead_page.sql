-- Whatever leads come first.
select tenant_id from campaigns.leads limit 20

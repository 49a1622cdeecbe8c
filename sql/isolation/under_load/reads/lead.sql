-- A lead of the tenant's and another's, by their keys.
select tenant_id from campaigns.leads where id in (%(lead)s, %(other_lead)s)

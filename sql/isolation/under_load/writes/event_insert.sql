-- A mail of the tenant's own campaign was sent.
insert into campaigns.events (tenant_id, campaign_id, lead_id, step_id, kind, occurred_at)
values (%(tenant)s, %(campaign)s, %(lead)s, %(step)s, 'sent', now())
returning tenant_id

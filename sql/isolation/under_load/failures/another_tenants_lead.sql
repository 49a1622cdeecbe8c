-- fails with: 23503
insert into campaigns.events (tenant_id, campaign_id, lead_id, step_id, kind, occurred_at)
values (%(tenant)s, %(campaign)s, %(other_lead)s, %(step)s, 'sent', now())

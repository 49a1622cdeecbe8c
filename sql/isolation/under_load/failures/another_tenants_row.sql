-- fails with: 42501
insert into campaigns.events (tenant_id, campaign_id, lead_id, step_id, kind, occurred_at)
values (%(other)s, %(other_campaign)s, %(other_lead)s, %(other_step)s, 'sent', now())

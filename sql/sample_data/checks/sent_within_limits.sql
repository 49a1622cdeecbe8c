-- campaigns.campaigns: every mail went out within its campaign's window, by an account of the tenant that was open, and no day exceeds the campaign's cap.
select 'window' as what, c.tenant_id, c.id, v.occurred_at
from sample_campaigns as c
join sample_events as v on v.tenant_id = c.tenant_id and v.campaign_id = c.id and v.kind = 'sent'
cross join lateral (select v.occurred_at at time zone c.time_zone as local_time) as there
where local_time::time not between c.window_start and c.window_end
   or not date_part('isodow', local_time)::smallint = any (c.window_days)
union all
select 'account', x.tenant_id, x.campaign_id, x.executed_at
from sample_executions as x
left join infrastructure.email_accounts as a on a.tenant_id = x.tenant_id and a.id = x.email_account_id
where (x.status = 'sent') <> (a.id is not null)
   or x.executed_at < a.created_at
   or a.status = 'closed' and x.executed_at > a.updated_at
union all
select 'cap', c.tenant_id, c.id, null
from sample_campaigns as c
left join campaigns.daily_sends as d on d.tenant_id = c.tenant_id and d.campaign_id = c.id
left join lateral (
    select count(*) as mails from sample_events as v
    where v.tenant_id = c.tenant_id and v.campaign_id = c.id and v.kind = 'sent'
      and (v.occurred_at at time zone 'UTC')::date = d.day) as counted on d.day is not null
where d.sent > coalesce(c.daily_cap, 0) or d.sent <> counted.mails

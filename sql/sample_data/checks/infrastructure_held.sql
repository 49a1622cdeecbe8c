-- infrastructure.daily_sends: mail went out from accounts that were open, on domains that were verified, through addresses that the tenant had.
select s.tenant_id, s.id, s.day
from infrastructure.daily_sends as s
join infrastructure.email_accounts as a on a.tenant_id = s.tenant_id and a.id = s.email_account_id
join infrastructure.domains as d on d.tenant_id = a.tenant_id and d.id = a.domain_id
where s.sent > 0
  and (a.created_at < d.verified_at
       or a.created_at > (s.day + 1)::timestamp at time zone 'UTC'
       or coalesce(d.decommissioned_at, 'infinity') < s.day::timestamp at time zone 'UTC'
       or d.status = 'failing'
       or (a.provider = 'smtp') <> (s.smtp_ip_id is not null)
       or s.smtp_ip_id is not null and not exists (
              select from infrastructure.ip_assignments as i
              where i.smtp_ip_id = s.smtp_ip_id and i.owner_tenant_id = s.tenant_id
                and i.assigned_at <= (s.day + 1)::timestamp at time zone 'UTC'
                and coalesce(i.released_at, 'infinity') >= s.day::timestamp at time zone 'UTC'))

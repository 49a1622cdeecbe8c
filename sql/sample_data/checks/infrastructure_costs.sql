-- infrastructure.cost_shares: the shares of each cost add up to what was paid, to whoever used or held it, for the mails that were sent.
select 'sum' as what, c.id, c.cents, sum(s.cents) as shared
from infrastructure.costs as c
left join infrastructure.cost_shares as s on s.cost_id = c.id
group by c.id
having sum(s.cents) is distinct from c.cents
union all
select 'mails', s.id, s.sent, sum(d.sent)
from infrastructure.cost_shares as s
join infrastructure.costs as c on c.id = s.cost_id
left join infrastructure.daily_sends as d
    on d.tenant_id = s.owner_tenant_id and d.email_account_id = s.email_account_id
    and d.smtp_ip_id = s.smtp_ip_id and d.day >= c.starts_on and d.day < c.ends_on
group by s.id
having s.sent <> coalesce(sum(d.sent), 0)

-- Whom the calls are about: what an operation's statement names as %(tenant)s and so on, a row a call.

-- name: draws
-- Spread over the tenants and their leads; not the five for whom something is due, nor those with an open invoice.
select
    s.tenant_id as tenant, s.users[1] as member, c.campaign_id as campaign, c.steps[1] as first_step,
    l.email_norm as email, waiting.enrollment_id as waiting, mailed.lead_id as mailed, free.id as free_address
from generate_series(1, %(calls)s) as n
cross join lateral (select 7 + 2 * mod(abs(hashint4extended(n, 1)), (%(tenants)s - 5) / 2) as sender) as spread
join scratch_load.senders s using (sender)
-- Of five in a row, by %(campaigns)s campaigns: one whose first mail is due, one who has had it.
cross join lateral (select 5 * mod(abs(hashint4extended(n, 2)), %(leads)s / 5) as person) as five
join scratch_load.people waiting on waiting.sender = s.sender and waiting.person = five.person + 1
join scratch_load.people mailed on mailed.sender = s.sender and mailed.person = five.person + 3
join scratch_load.campaigns c on c.sender = s.sender and c.place = mailed.place
join campaigns.leads l on l.tenant_id = s.tenant_id and l.id = mailed.lead_id
cross join lateral (
    select i.id from infrastructure.smtp_ips i where i.address = '10.0.0.0'::inet + 2 * s.sender
) as free
order by n;

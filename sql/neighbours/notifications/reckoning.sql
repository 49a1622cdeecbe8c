-- What became of a wave. The mailbox is what the sink accepted, as mail clients show it: once a Message-ID.

-- name: mailbox
create temp table accepted (address text, message_id text, event text)

-- name: fill_mailbox
copy accepted from stdin

-- name: held
-- What the queue holds as given up; other mails of the same job have arrived.
create temp table held (id uuid)

-- name: fill_held
copy held from stdin

-- name: reckon
with wanted as (
    select e.tenant_id, e.id, a.user_id, a.channel
    from public.wave_events e
    cross join lateral integration.audience(e.tenant_id, e.topic) as a
), mailbox as (
    select distinct a.address, a.message_id, a.event from accepted a
), sightings as (
    select m.message_id, count(*) as seen from mailbox m group by m.message_id
), outcome as (
    select w.*, n.id as notification_id, n.status, i.digest_id, d.status as digest_status,
           coalesce(s.seen, 0) as seen
    from wanted w
    left join integration.notifications n
        on n.tenant_id = w.tenant_id and n.user_id = w.user_id and n.channel = w.channel and n.dedupe_key = 'event ' || w.id
    left join integration.digest_items i
        on w.channel = 'email' and i.tenant_id = w.tenant_id and i.user_id = w.user_id and i.event_id = w.id
    left join integration.notifications d on d.tenant_id = i.tenant_id and d.id = i.digest_id
    left join sightings s on s.message_id = '<' || coalesce(n.id, d.id) || '@oltp-lab.example>'
)
select
    (select count(*) from public.wave_events) as events,
    count(*) filter (where o.channel = 'in_app') as in_app,
    count(*) filter (where o.channel = 'email') as mails_wanted,
    count(*) filter (where o.channel = 'email' and o.status = 'delivered') as mailed,
    count(*) filter (where o.digest_id is not null) as digested,
    count(distinct o.digest_id) as digests,
    count(*) filter (where o.status = 'dead' or o.digest_status = 'dead') as dead,
    count(distinct case when o.status = 'dead' then o.notification_id when o.digest_status = 'dead' then o.digest_id end)
        as dead_mails,
    (select count(*) from (select case o.status when 'dead' then o.notification_id else o.digest_id end as id from outcome o
                           where o.status = 'dead' or o.digest_status = 'dead'
                           except select h.id from held h) as let_go) as unheld,
    -- told by nothing; or delivered, as is written down, while the mailbox has it not; or still on its way
    count(*) filter (where case o.channel when 'in_app' then o.status is distinct from 'delivered' and o.status is distinct from 'read'
                                when 'email' then coalesce(o.status, o.digest_status) is null
                                                  or coalesce(o.status, o.digest_status) = 'delivered' and o.seen = 0
                                                  or coalesce(o.status, o.digest_status) in ('pending', 'failed')
                                else false end) as lost,
    -- told one by one and in a digest; or the same event in two mails of a mailbox
    count(*) filter (where o.channel = 'email' and (o.status is not null and o.digest_id is not null or o.seen > 1))
        + (select coalesce(sum(twice.mails - 1), 0) from (
               select count(*) as mails from mailbox m group by m.address, m.event having count(*) > 1) as twice) as doubled,
    (select count(*) from accepted) as accepted,
    (select count(*) from accepted) - (select count(*) from mailbox) as accepted_again,
    (select coalesce(max(a.mails), 0) from (
         select count(*) as mails from mailbox m group by m.address) as a) as most_to_one,
    -- who got more mails within a period than its burst, digests apart
    (select count(distinct (p.tenant_id, p.user_id)) from (
         select n.tenant_id, n.user_id,
                count(*) over (partition by n.tenant_id, n.user_id order by n.created_at
                               range between %(period)s - interval '1 microsecond' preceding and current row) as mails
         from integration.notifications n
         where n.channel = 'email' and n.kind <> 'digest' and n.dedupe_key like 'event %%') as p
     where p.mails > %(burst)s) as paged
from outcome o

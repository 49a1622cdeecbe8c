-- The zones that the sample data's domains have on the lab's own DNS server, and what follows for each
-- record: by which case it was made, and what that is to be judged. In temporary tables of one session
-- of lab_platform, on a database that holds a copy of the domains.

-- name: cases
-- Of each kind, or of each type (a CNAME, TXT or MX), or of all ('*'): a zone, a line for each record (name,
-- type, value; !BEHAVIOUR is how it is answered), and the verdict that it deserves.
-- To add a case, add a line.
create temp table cases as
select row_number() over () as n, * from (values
    ('*', 'published', 150, 'ok', '{host} {type} {expected}'),
    ('*', 'slow', 2, 'ok', E'{host} {type} {expected}\n{host} {type} !slow'),
    ('*', 'lost once', 1, 'ok', E'{host} {type} {expected}\n{host} {type} !lost once'),
    ('*', 'truncated', 2, 'ok', E'{host} {type} {expected}\n{host} {type} !truncated'),
    ('*', 'absent', 6, 'missing', ''),
    ('*', 'servfail', 2, 'failed', '{host} {type} !servfail'),
    ('*', 'refused', 1, 'failed', '{host} {type} !refused'),
    ('*', 'silent', 1, 'failed', '{host} {type} !silent'),
    ('*', 'rubbish', 1, 'failed', '{host} {type} !rubbish'),
    ('*', 'after forged ones', 2, 'ok', E'{host} {type} {expected}\n{host} {type} !forged first'),
    ('*', 'forged ones only', 1, 'failed', E'{host} {type} {expected}\n{host} {type} !forged'),

    ('spf', 'beside other texts', 6, 'ok', E'{host} TXT {expected}\n{host} TXT some-site-verification=1\n{host} TXT v=spf10 -all'),
    ('spf', 'redirected', 3, 'ok', E'{host} TXT v=spf1 redirect=_spf.{host}\n_spf.{host} TXT v=spf1 include:spf.mailer.example -all'),
    ('spf', 'by way of another', 3, 'ok', E'{host} TXT v=spf1 include:_a.{host} ~all\n_a.{host} TXT {expected}'),
    ('spf', 'ten look-ups', 3, 'ok', E'{host} TXT v=spf1 a:h.{host} a:h.{host} a:h.{host} a:h.{host} a:h.{host} a:h.{host} a:h.{host} a:h.{host} a:h.{host} include:spf.mailer.example -all\nh.{host} A 192.0.2.1'),
    ('spf', 'eleven look-ups', 3, 'invalid', E'{host} TXT v=spf1 a:h.{host} a:h.{host} a:h.{host} a:h.{host} a:h.{host} a:h.{host} a:h.{host} a:h.{host} a:h.{host} a:h.{host} include:spf.mailer.example -all\nh.{host} A 192.0.2.1'),
    ('spf', 'eleven look-ups, most of them another''s', 3, 'invalid', E'{host} TXT v=spf1 include:_a.{host} include:spf.mailer.example -all\n_a.{host} TXT v=spf1 a:h.{host} a:h.{host} a:h.{host} a:h.{host} a:h.{host} a:h.{host} a:h.{host} a:h.{host} a:h.{host} -all\nh.{host} A 192.0.2.1'),
    ('spf', 'eleven look-ups, ours the first', 2, 'ok', E'{host} TXT v=spf1 include:spf.mailer.example a:h.{host} a:h.{host} a:h.{host} a:h.{host} a:h.{host} a:h.{host} a:h.{host} a:h.{host} a:h.{host} a:h.{host} -all\nh.{host} A 192.0.2.1'),
    ('spf', 'oversized', 2, 'ok', '{host} TXT v=spf1' || repeat(' ip4:192.0.2.0/24', 40) || ' include:spf.mailer.example -all'),
    ('spf', 'two void look-ups', 2, 'ok', '{host} TXT v=spf1 a:v1.{host} a:v2.{host} include:spf.mailer.example ~all'),
    ('spf', 'three void look-ups', 3, 'invalid', '{host} TXT v=spf1 a:v1.{host} a:v2.{host} exists:v3.{host} include:spf.mailer.example ~all'),
    ('spf', 'includes itself', 3, 'invalid', '{host} TXT v=spf1 include:{host} include:spf.mailer.example ~all'),
    ('spf', 'two that include each other', 3, 'invalid', E'{host} TXT v=spf1 include:_a.{host} include:spf.mailer.example ~all\n_a.{host} TXT v=spf1 include:_b.{host} -all\n_b.{host} TXT v=spf1 include:_a.{host} -all'),
    ('spf', 'include of nothing', 2, 'invalid', '{host} TXT v=spf1 include:nowhere.{host} include:spf.mailer.example ~all'),
    ('spf', 'include without answer', 2, 'failed', E'{host} TXT v=spf1 include:_a.{host} include:spf.mailer.example ~all\n_a.{host} TXT !servfail'),
    ('spf', 'two records', 3, 'invalid', E'{host} TXT {expected}\n{host} TXT v=spf1 -all'),
    ('spf', 'another sender''s', 3, 'invalid', '{host} TXT v=spf1 include:spf.other.example ~all'),
    ('spf', 'after all', 2, 'invalid', '{host} TXT v=spf1 -all include:spf.mailer.example'),
    ('spf', 'everybody', 2, 'invalid', '{host} TXT v=spf1 +all'),
    ('spf', 'no such mechanism', 2, 'invalid', '{host} TXT v=spf1 include:spf.mailer.example includes:spf.mailer.example ~all'),

    ('dkim', 'in two strings', 10, 'ok', '{host} TXT {front}|{back}'),
    ('dkim', 'tags in another order', 5, 'ok', '{host} TXT v=DKIM1;t=s; p = {key} ;n=ours;k=rsa'),
    ('dkim', 'delegated', 5, 'ok', E'{host} CNAME key-{host}\nkey-{host} TXT {expected}'),
    ('dkim', 'aliases in a circle', 2, 'failed', E'{host} CNAME key-{host}\nkey-{host} CNAME {host}'),
    ('dkim', 'two records', 4, 'invalid', E'{host} TXT {expected}\n{host} TXT v=DKIM1; k=rsa; p=MIGfother'),
    ('dkim', 'another key', 4, 'invalid', '{host} TXT v=DKIM1; k=rsa; p=MIGfother'),
    ('dkim', 'another tenant''s', 4, 'invalid', '{host} CNAME {elsewhere}'),
    ('dkim', 'revoked', 3, 'invalid', '{host} TXT v=DKIM1; k=rsa; p='),
    ('dkim', 'a tag twice', 2, 'invalid', '{host} TXT {expected}; p={key}'),

    ('dmarc', 'strict', 10, 'ok', '{host} TXT v=DMARC1; p=reject; adkim=s; aspf=s'),
    ('dmarc', 'beside other texts', 3, 'ok', E'{host} TXT {expected}\n{host} TXT some-site-verification=1'),
    ('dmarc', 'no policy', 4, 'invalid', '{host} TXT v=DMARC1; rua=mailto:a@b.example'),
    ('dmarc', 'two records', 4, 'invalid', E'{host} TXT {expected}\n{host} TXT v=DMARC1; p=reject'),
    ('dmarc', 'of another kind', 3, 'missing', '{host} TXT v=spf1 -all'),

    ('mx', 'among others', 10, 'ok', E'{host} MX 5 mx.other.example\n{host} MX 20 MX.mailer.example'),
    ('mx', 'elsewhere', 6, 'invalid', '{host} MX 10 mx.other.example'),

    ('CNAME', 'in other letters', 5, 'ok', '{host} CNAME Bounce.Mailer.example'),
    ('CNAME', 'elsewhere', 5, 'invalid', '{host} CNAME elsewhere.other.example'),
    ('CNAME', 'in a circle', 2, 'invalid', E'{host} CNAME loop.{host}\nloop.{host} CNAME {host}'),
    ('CNAME', 'another tenant''s', 4, 'invalid', '{host} CNAME {elsewhere}'),
    ('CNAME', 'an address', 4, 'missing', '{host} A 192.0.2.1')
) as told (applies_to, "case", weight, intended, zone)

-- name: dealt
-- Of the domains one in five is as it should be. Of the records of the others, each case of a kind is dealt
-- once, then by weight. One in ten is made by another case later.
create temp table made as
with kinds as (
    select kind, c.n, c."case", c.weight
    from (values ('spf', 'TXT'), ('dkim', 'TXT'), ('dmarc', 'TXT'), ('mx', 'MX'), ('return_path', 'CNAME'), ('tracking', 'CNAME'))
        as k (kind, type)
    join cases as c on c.applies_to in ('*', k.kind, k.type)
    where not (k.kind = 'tracking' and c."case" = 'in other letters')
), choices as (
    select *, row_number() over by_kind as place, sum(weight) over by_kind as upto, sum(weight) over (partition by kind) as total
    from kinds
    window by_kind as (partition by kind order by n)
), domains as (
    select d.*, row_number() over (partition by d.status = 'verified' order by hashtextextended(d.id::text, %(seed)s)) as place,
           count(*) over (partition by d.status = 'verified') as domains
    from infrastructure.domains as d
    where d.status <> 'decommissioned'
), records as (
    select d.tenant_id, d.id as domain_id, d.name_norm, d.status as former, r.id as dns_record_id, r.kind, r.type, r.host, r.expected,
           r.status as formerly, d.place * 5 <= d.domains + 5 as healthy,
           row_number() over (partition by r.kind, d.place * 5 <= d.domains + 5
                              order by hashtextextended(r.id::text, %(seed)s)) as turn,
           hashtextextended(r.id::text, %(seed)s + 1) & 1048575 as first_draw,
           hashtextextended(r.id::text, %(seed)s + 2) & 1048575 as second_draw,
           hashtextextended(r.id::text, %(seed)s + 3) %% 10 = 0 as changes
    from domains as d
    join infrastructure.dns_records as r on r.tenant_id = d.tenant_id and r.domain_id = d.id
)
select r.*, first.n as first_case, case when r.changes and not r.healthy then second.n else first.n end as second_case,
       null::text as role
from records as r
join choices as first on first.kind = r.kind and case
    when r.healthy then first."case" = 'published'
    when r.turn <= (select count(*) from choices as c where c.kind = r.kind) then first.place = r.turn
    else r.first_draw * first.total / 1048576 >= first.upto - first.weight and r.first_draw * first.total / 1048576 < first.upto end
join choices as second on second.kind = r.kind
    and r.second_draw * second.total / 1048576 >= second.upto - second.weight and r.second_draw * second.total / 1048576 < second.upto

-- name: claimants
-- Other tenants claim names of healthy domains. 'copied': with the owner's key, which all can read, and its zone.
-- 'pointed': the claimant's own selector would be the owner's by a CNAME; in life only the owner could publish that.
-- 'contested': its records are published too, but the owner's hold. Where nobody has verified the name yet, the first
-- who proves it is to be its owner, and none who cannot.
create temp table claimants as
select tenant.id as tenant_id, public.uuid_generate_v7() as id, owner.name_norm, owner.tenant_id as owner_tenant_id,
       owner.domain_id as owner_domain_id,
       (array['copied', 'pointed', 'contested'])[1 + owner.place %% case when owner.held then 3 else 2 end] as role
from (select m.tenant_id, m.domain_id, m.name_norm, m.former = 'verified' as held,
             row_number() over (partition by m.former = 'verified' order by m.name_norm) as place
      from made as m
      where m.kind = 'dkim' and m.healthy
        and not exists (select from infrastructure.domains as d where d.name_norm = m.name_norm and d.id <> m.domain_id)) as owner
cross join lateral (
    select t.id from public.tenants as t
    where t.id <> owner.tenant_id and t.status = 'active'
      and not exists (select from infrastructure.domains as d where d.tenant_id = t.id and d.name_norm = owner.name_norm)
    order by hashtextextended(t.id::text || owner.name_norm, %(seed)s)
    limit 1) as tenant
where owner.place <= 30

-- name: claimed_domains
insert into infrastructure.domains (tenant_id, id, name, dkim_public_key, next_check_at, created_at, updated_at)
select c.tenant_id, c.id, c.name_norm,
       case c.role when 'copied' then (select d.dkim_public_key from infrastructure.domains as d
                                       where d.tenant_id = c.owner_tenant_id and d.id = c.owner_domain_id)
                   else 'MIGf' || md5(c.id::text) end,
       %(at)s, %(at)s, %(at)s
from claimants as c

-- name: claimed_records
insert into infrastructure.dns_records (tenant_id, domain_id, kind, type, host, expected, created_at)
select d.tenant_id, d.id, r.kind, r.type, r.host, r.expected, %(at)s
from claimants as c
join infrastructure.domains as d on d.tenant_id = c.tenant_id and d.id = c.id
cross join lateral infrastructure.expected_dns_records(d.name_norm, d.dkim_selector, d.dkim_public_key) as r

-- name: claimed_made
-- At all hosts but that of the key there is what the owner published.
insert into made (tenant_id, domain_id, name_norm, former, dns_record_id, kind, type, host, expected, formerly, healthy, role,
                  first_case, second_case)
select r.tenant_id, r.domain_id, c.name_norm, 'pending', r.id, r.kind, r.type, r.host, r.expected, 'unchecked', false, c.role,
       told.n, told.n
from claimants as c
join infrastructure.dns_records as r on r.tenant_id = c.tenant_id and r.domain_id = c.id
join cases as told on told.applies_to = case when r.kind = 'dkim' and c.role = 'pointed' then 'dkim' else '*' end
    and told."case" = case when r.kind <> 'dkim' or c.role = 'contested' then 'published'
                           when c.role = 'copied' then 'absent' else 'another tenant''s' end

-- name: zone
-- All records, in the first phase or the second.
with elsewhere as (
    select m.kind, m.tenant_id, m.host, row_number() over (partition by m.kind order by m.host) as place,
           count(*) over (partition by m.kind) as places
    from made as m where m.healthy
), described as (
    select m.*, c.zone, coalesce(e.host, 'elsewhere.other.example') as elsewhere
    from made as m
    join cases as c on c.n = case %(phase)s when 1 then m.first_case else m.second_case end
    left join lateral (
        select o.host from elsewhere as o
        where strpos(c.zone, '{elsewhere}') > 0 and o.kind = m.kind and o.tenant_id <> m.tenant_id and (m.role is null or o.tenant_id = (
                  select k.owner_tenant_id from claimants as k where k.id = m.domain_id))
        order by (o.place + hashtext(m.host)) %% o.places limit 1) as e on true
), lines as (
    select distinct replace(replace(replace(replace(replace(replace(replace(line,
               '{host}', d.host), '{type}', d.type), '{expected}', d.expected), '{elsewhere}', d.elsewhere),
               '{front}', left(d.expected, 20)), '{back}', substr(d.expected, 21)),
               '{key}', coalesce(substring(d.expected from 'p=(\S+)'), '')) as line
    from described as d, string_to_table(d.zone, E'\n') as line
    where line <> ''
    union
    values ('spf.mailer.example TXT v=spf1 ip4:10.0.0.0/8 -all'), ('spf.other.example TXT v=spf1 ip4:192.0.2.0/24 -all')
)
select split_part(line, ' ', 1), split_part(line, ' ', 2), substr(line, length(split_part(line, ' ', 1)) + length(split_part(line, ' ', 2)) + 3)
from lines
order by line

-- name: counted
select count(*), count(distinct domain_id), count(distinct tenant_id),
       count(*) filter (where first_case <> second_case)
from made

-- name: wrong_verdicts
-- What was last noted of a phase otherwise than the case deserves, by which the record was made. In the first phase, in
-- which the zones change, a record may be seen as it becomes.
select m.name_norm, m.kind, c."case", may.intended, coalesce(k.status, 'not looked up') as found, k.observed::text, k.error
from made as m
join cases as c on c.n = case %(phase)s when 1 then m.first_case else m.second_case end
cross join lateral (
    select array_agg(distinct o.intended) as intended from cases as o
    where o.n = m.second_case or o.n = m.first_case and %(phase)s = 1) as may
left join lateral (
    select k.* from infrastructure.dns_checks as k
    where k.tenant_id = m.tenant_id and k.dns_record_id = m.dns_record_id and k.checked_at >= %(since)s and k.checked_at < %(until)s
    order by k.checked_at desc limit 1) as k on true
where not coalesce(k.status, 'not looked up') = any (may.intended)
order by 1, 2

-- name: wrong_domains
-- The status of each domain after the second phase against what the cases make of it: a record without answer counts
-- as it was, and of a contested name the owner's proof holds.
with effective as (
    select m.tenant_id, m.domain_id, m.name_norm, m.former, m.role, m.kind,
           case when c.intended <> 'failed' then c.intended
                else coalesce((select k.status from infrastructure.dns_checks as k
                               where k.tenant_id = m.tenant_id and k.dns_record_id = m.dns_record_id and k.status <> 'failed'
                               order by k.checked_at desc limit 1), m.formerly) end as verdict
    from made as m join cases as c on c.n = m.second_case
), intended as (
    select tenant_id, domain_id, name_norm, former, role,
           bool_and(case when kind in ('spf', 'dkim') then verdict = 'ok' when kind in ('mx', 'return_path') then verdict in ('ok', 'missing')
                         else true end) as usable
    from effective group by 1, 2, 3, 4, 5
)
select i.name_norm, i.role, i.former, i.usable, d.status
from intended as i
join infrastructure.domains as d on d.tenant_id = i.tenant_id and d.id = i.domain_id
where d.status <> case when i.usable and i.role is null then 'verified' when i.former = 'pending' then 'pending' else 'failing' end
  and not (i.former = 'pending' and d.status = 'failing' and not i.usable)
   or (d.status = 'verified') <> exists (
          select from infrastructure.verified_domains as v
          where v.name_norm = d.name_norm and v.owner_tenant_id = d.tenant_id and v.domain_id = d.id)
order by 1

-- name: unverified_without_proof
-- Domains that were verified and are not, although nobody has answered that a record of theirs is not as it must be.
select d.name_norm, d.status
from infrastructure.domains as d
join made as m on m.tenant_id = d.tenant_id and m.domain_id = d.id and m.former = 'verified'
where d.status <> 'verified'
group by d.tenant_id, d.id, d.name_norm, d.status
having not exists (
    select from infrastructure.dns_checks as k
    join infrastructure.dns_records as r on r.tenant_id = k.tenant_id and r.id = k.dns_record_id
    where r.tenant_id = d.tenant_id and r.domain_id = d.id and k.checked_at >= %(since)s
      and (r.kind in ('spf', 'dkim') and k.status in ('missing', 'invalid')
           or r.kind in ('mx', 'return_path') and k.status = 'invalid'))

-- name: wrong_drift
-- Where a look-up with an answer differs from the answer before and drift is not told so, or is told where nothing differs.
select m.name_norm, m.kind, k.checked_at, k.drift
from infrastructure.dns_checks as k
join made as m on m.tenant_id = k.tenant_id and m.dns_record_id = k.dns_record_id
left join lateral (
    select b.status, b.observed from infrastructure.dns_checks as b
    where b.tenant_id = k.tenant_id and b.dns_record_id = k.dns_record_id and b.checked_at < k.checked_at and b.status <> 'failed'
    order by b.checked_at desc limit 1) as before_it on true
where before_it.status is not null
  and k.drift is distinct from case
        when k.status = 'failed' then null
        when before_it.status = 'ok' and k.status <> 'ok' then 'lost'
        when before_it.status <> 'ok' and k.status = 'ok' then 'restored'
        when before_it.observed <> k.observed then 'changed' end

-- name: wrong_schedule
-- Domains that are still due after they were looked up, and those that were asked again soon without need or not.
select d.name_norm, 'is due' as what, d.next_check_at
from infrastructure.domains as d
where d.next_check_at <= %(last)s
union all
select d.name_norm, 'asked again soon, or not', d.next_check_at
from infrastructure.domains as d
cross join lateral (
    select coalesce(bool_or(k.status = 'failed') filter (where k.checked_at = %(since)s), false) as failed,
           coalesce(bool_or(k.checked_at = %(retried)s), false) as retried
    from infrastructure.dns_records as r
    join infrastructure.dns_checks as k on k.tenant_id = r.tenant_id and k.dns_record_id = r.id
    where r.tenant_id = d.tenant_id and r.domain_id = d.id) as asked
where asked.failed <> asked.retried

-- name: by_case
select m.kind, c."case", c.intended, count(*) as records, count(*) filter (where k.status = c.intended) as as_intended,
       max(k.lookups) as most_lookups, max(k.error) as said
from made as m
join cases as c on c.n = m.second_case
left join lateral (
    select k.* from infrastructure.dns_checks as k
    where k.tenant_id = m.tenant_id and k.dns_record_id = m.dns_record_id and k.checked_at >= %(since)s
    order by k.checked_at desc limit 1) as k on true
group by m.kind, c.n, c."case", c.intended
order by m.kind, c.n

-- name: outcomes
select (select count(*) from infrastructure.dns_checks as k where k.drift is not null and k.checked_at >= %(since)s) as drifts,
       (select count(*) from infrastructure.domains where status = 'verified') as verified,
       (select count(*) from infrastructure.domains where status = 'failing') as failing,
       (select count(*) from claimants) as claimants,
       (select count(*) from claimants as c join infrastructure.domains as d on d.tenant_id = c.tenant_id and d.id = c.id
        where d.status = 'verified') as stolen

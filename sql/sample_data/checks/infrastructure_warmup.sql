-- infrastructure.email_accounts: nothing sent more in a day than its warm-up allowed, what it was allowed is noted, and its counters are those of its last day.
with days as (
    select 'email_account' as what, email_account_id as id, day, sum(sent) as sent, sum(account_allowance) as allowance
    from infrastructure.daily_sends
    where sent > 0
    group by email_account_id, day
    union all
    select 'smtp_ip', smtp_ip_id, day, sum(sent), sum(address_allowance)
    from infrastructure.daily_sends
    where sent > 0 and smtp_ip_id is not null
    group by smtp_ip_id, day
), runs as (
    -- Of a pause of 30 days by the calendar only the hours say whether it was one.
    select *, count(*) filter (where pause > 30) over so_far as run,
           coalesce(bool_or(pause = 30) over so_far, false) as doubtful
    from (select *, day - lag(day) over (partition by id order by day) as pause from days) as paused
    window so_far as (partition by id order by day)
), counted as (
    select *, row_number() over (partition by id, run order by day) - 1 as warmup_day,
           lead(day) over (partition by id order by day) is null as is_last
    from runs
), senders as (
    select 'email_account' as what, id, warmup_curve, warmup_day, daily_cap, sent_in_period, period_ends_at, last_sent_at
    from infrastructure.email_accounts
    union all
    select 'smtp_ip', id, warmup_curve, warmup_day, daily_cap, sent_in_period, period_ends_at, last_sent_at
    from infrastructure.smtp_ips
)
select s.what, s.id, c.day, c.sent, c.warmup_day
from senders as s
left join counted as c on c.what = s.what and c.id = s.id
left join infrastructure.warmup_steps as w on w.curve = s.warmup_curve and w.day = c.warmup_day
where c.sent > c.allowance
   or c.allowance <> least(coalesce(w.allowance, s.daily_cap), s.daily_cap) and not c.doubtful
   or c.day is null and (s.sent_in_period > 0 or s.last_sent_at is not null)
   or c.is_last and (s.sent_in_period <> c.sent
                     or s.last_sent_at not between (c.day::timestamp at time zone 'UTC') and s.period_ends_at
                     or s.period_ends_at <> (c.day + 1)::timestamp at time zone 'UTC'
                     or s.warmup_day <> c.warmup_day and not c.doubtful)

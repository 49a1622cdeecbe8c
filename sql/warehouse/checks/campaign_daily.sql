-- Sums of the mart that differ from what staging says, per tenant and kind of event, as sentences.
with mart as (
    select tenant_id, kind, sum(events)::bigint as events
    from (
        unpivot marts.campaign_daily
        on sent, delivered, opened, clicked, replied, bounced, complained, unsubscribed
        into name kind value events
    )
    group by all
), staged as (
    select tenant_id, kind, count(*) as events from staging.events group by all
), compared as (
    select tenant_id, kind, coalesce(mart.events, 0) as mart, coalesce(staged.events, 0) as staged
    from mart full join staged using (tenant_id, kind)
)
select format('tenant {} has {} {} in the mart and {} in staging', tenant_id, mart, kind, staged)
from compared where mart <> staged
order by tenant_id, kind;

-- name: infrastructure_owners_two
insert into infrastructure.smtp_ips (vps_instance_id, address, status, owner_tenant_id)
select vps_instance_id, '10.9.9.9', 'assigned', owner_tenant_id
from infrastructure.smtp_ips where owner_tenant_id is not null limit 1;

-- name: infrastructure_owners_released
update infrastructure.ip_assignments set released_at = now()
where ctid = (select min(ctid) from infrastructure.ip_assignments where released_at is null);

-- name: infrastructure_owners_deleted
with made as (
    insert into infrastructure.ip_assignments (smtp_ip_id, owner_tenant_id, assigned_at)
    select i.id, t.id, now()
    from infrastructure.smtp_ips as i, public.tenants as t
    where i.status = 'available' and t.status = 'deleted' limit 1
    returning smtp_ip_id, owner_tenant_id)
update infrastructure.smtp_ips as i set status = 'assigned', owner_tenant_id = made.owner_tenant_id
from made where i.id = made.smtp_ip_id;

-- name: infrastructure_sends_more
update infrastructure.daily_sends set sent = sent + 1
where ctid = (select min(ctid) from infrastructure.daily_sends);

-- name: infrastructure_sends_without_bounces
update infrastructure.daily_sends set hard_bounces = 0
where ctid = (select min(ctid) from infrastructure.daily_sends where hard_bounces > 0);

-- name: infrastructure_held_late_account
update infrastructure.email_accounts set created_at = created_at + interval '1000 days'
where ctid = (select min(ctid) from infrastructure.email_accounts where last_sent_at is not null);

-- name: infrastructure_held_unverified
update infrastructure.domains set verified_at = verified_at + interval '1000 days'
where ctid = (select min(ctid) from infrastructure.domains where id = (select domain_id from infrastructure.email_accounts where last_sent_at is not null limit 1));

-- name: infrastructure_held_released
update infrastructure.ip_assignments set released_at = assigned_at
where ctid = (select min(ctid) from infrastructure.ip_assignments where smtp_ip_id = (select smtp_ip_id from infrastructure.daily_sends where sent > 0 and smtp_ip_id is not null limit 1));

-- name: infrastructure_held_through_nothing
update infrastructure.daily_sends set smtp_ip_id = null
where ctid = (select min(ctid) from infrastructure.daily_sends where smtp_ip_id is not null and sent > 0);

-- name: infrastructure_warmup_exceeded
update infrastructure.daily_sends set sent = sent + 200
where ctid = (select min(ctid) from infrastructure.daily_sends where sent > 0);

-- name: infrastructure_warmup_unnoted
update infrastructure.daily_sends set address_allowance = address_allowance + 1
where ctid = (select min(ctid) from infrastructure.daily_sends where address_allowance > 0);

-- name: infrastructure_warmup_miscounted
update infrastructure.smtp_ips set sent_in_period = sent_in_period - 1
where ctid = (select min(ctid) from infrastructure.smtp_ips where sent_in_period > 0);

-- name: infrastructure_warmup_forgotten
update infrastructure.email_accounts set warmup_day = warmup_day + 1
where ctid = (select min(ctid) from infrastructure.email_accounts where last_sent_at is not null);

-- name: infrastructure_verified_by_nothing
update infrastructure.dns_records set status = 'missing'
where ctid = (select min(ctid) from infrastructure.dns_records where kind = 'dkim' and status = 'ok'
                and domain_id = (select domain_id from infrastructure.verified_domains limit 1));

-- name: infrastructure_verified_for_nobody
delete from infrastructure.verified_domains
where ctid = (select min(ctid) from infrastructure.verified_domains);

-- name: infrastructure_verified_for_another
update infrastructure.verified_domains set domain_id = gen_random_uuid()
where ctid = (select min(ctid) from infrastructure.verified_domains);

-- name: infrastructure_verified_without_status
update infrastructure.domains set status = 'failing'
where ctid = (select min(ctid) from infrastructure.domains where status = 'verified');

-- name: infrastructure_drift_untold
update infrastructure.dns_checks set drift = null
where ctid = (select min(ctid) from infrastructure.dns_checks where drift is not null);

-- name: infrastructure_drift_outdated
update infrastructure.dns_records set checked_at = checked_at - interval '1 minute'
where ctid = (select min(ctid) from infrastructure.dns_records);

-- name: infrastructure_drift_misjudged
update infrastructure.dns_checks set observed = '{nonsense}'
where ctid = (select min(ctid) from infrastructure.dns_checks where status = 'ok');

-- name: infrastructure_costs_lost_cent
update infrastructure.cost_shares set cents = cents - 1
where ctid = (select min(ctid) from infrastructure.cost_shares where cents > 0);

-- name: infrastructure_costs_unshared
delete from infrastructure.cost_shares
where ctid = (select min(ctid) from infrastructure.cost_shares where cents > 0);

-- name: infrastructure_costs_of_more
update infrastructure.cost_shares set sent = sent + 1
where ctid = (select min(ctid) from infrastructure.cost_shares);

-- name: infrastructure_health_unfounded
update infrastructure.email_accounts set health = 'blocked'
where ctid = (select min(ctid) from infrastructure.email_accounts where health = 'healthy');

-- name: infrastructure_health_miscounted
update infrastructure.reputation_samples set bounces = bounces + 1
where ctid = (select min(ctid) from infrastructure.reputation_samples);

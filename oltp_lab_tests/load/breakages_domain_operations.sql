-- What each invariant of domain_operations must see. A name begins with that of its invariant.

-- name: lively
-- What a run leaves, in small: mails, a failover, a domain given up, costs that were shared.
select scratch_load.send(scratch_load.account(1), 3, 0);
select scratch_load.release(scratch_load.account(1), 0);
select scratch_load.allocate(scratch_load.account(1), 100, 0);
select scratch_load.fail_server(scratch_load.server(2), 4, 0);
select scratch_load.repair_server(0);
select scratch_load.fail_server(scratch_load.server(3), 4, 0);
select scratch_load.decommission(scratch_load.account(1), scratch_load.domain_name(1, 1), 0);
select scratch_load.record_dns(d.tenant_id, d.id, scratch_load.clock(), 0)
from infrastructure.domains d where d.tenant_id = scratch_load.account(2) and d.status <> 'decommissioned';
select infrastructure.attribute_costs('2021-01-25', '2021-02-01', '2021-02-01');

-- name: one_owner_two
alter table infrastructure.ip_assignments drop constraint ip_assignments_one_owner_excl;
insert into infrastructure.ip_assignments (smtp_ip_id, owner_tenant_id, assigned_at, released_at)
select smtp_ip_id, scratch_load.account(5), assigned_at - interval '1 hour', assigned_at + interval '1 hour'
from infrastructure.ip_assignments where owner_tenant_id = scratch_load.account(4);

-- name: one_owner_other
update infrastructure.smtp_ips set owner_tenant_id = scratch_load.account(5) where owner_tenant_id = scratch_load.account(4);

-- name: none_on_a_failed_server_left
alter table infrastructure.ip_assignments drop constraint ip_assignments_one_owner_excl;
update infrastructure.ip_assignments a set released_at = '2021-12-31 00:00:00+00'
from infrastructure.smtp_ips i
where i.id = a.smtp_ip_id and i.vps_instance_id = scratch_load.server(2) and a.released_at is not null;

-- name: none_on_a_failed_server_assigned_after
insert into infrastructure.ip_assignments (smtp_ip_id, owner_tenant_id, assigned_at, released_at)
select i.id, scratch_load.account(4), scratch_load.clock(), scratch_load.clock()
from infrastructure.smtp_ips i where i.vps_instance_id = scratch_load.server(3) limit 1;

-- name: none_on_a_failed_server_now
update infrastructure.vps_instances set status = 'failed' where id = scratch_load.server(2);
update infrastructure.smtp_ips set status = 'assigned', owner_tenant_id = scratch_load.account(4)
where vps_instance_id = scratch_load.server(3) and status = 'available';

-- name: failovers_complete_no_reason
update scratch_load.moves set replacement = null, refusal = null where failure is not null;

-- name: failovers_complete_another
update scratch_load.moves set replacement = smtp_ip_id, refusal = null where failure is not null;

-- name: addresses_lost_for_a_reason_another
update scratch_load.moves set owner_id = scratch_load.account(8) where failure is null;

-- name: addresses_lost_for_a_reason_none
delete from scratch_load.moves;

-- name: warm_up_kept_more
update scratch_load.slots set sent = allowance + 1;

-- name: warm_up_kept_steeper
update scratch_load.slots set allowance = 60;

-- name: warm_up_kept_counted
update infrastructure.smtp_ips set sent_in_period = 1 where sent_in_period = 0 and allowance > 0;
update infrastructure.email_accounts set sent_in_period = sent_in_period - 1 where sent_in_period > 0;

-- name: sends_counted_more
update infrastructure.daily_sends set sent = sent + 1 where tenant_id = scratch_load.account(1) and day >= '2021-02-01';

-- name: sends_counted_lost
delete from infrastructure.daily_sends where tenant_id = scratch_load.account(1) and day >= '2021-02-01';

-- name: sends_counted_another
delete from infrastructure.ip_assignments where owner_tenant_id = scratch_load.account(1);

-- name: verified_exactly_unproven
update infrastructure.dns_records set status = 'missing', observed = '{}' where tenant_id = scratch_load.account(3) and kind = 'dkim' and checked_at is not null;

-- name: verified_exactly_proven
delete from scratch_load.results where refusal = 'verified_elsewhere';

-- name: verified_exactly_told
update scratch_load.results set status = 'failing' where tenant_id = scratch_load.account(2);

-- name: one_tenant_a_name_lost
delete from infrastructure.verified_domains where owner_tenant_id = scratch_load.account(2);

-- name: one_tenant_a_name_kept
update infrastructure.domains set status = 'failing' where tenant_id = scratch_load.account(2) and status = 'verified';

-- name: history_complete_lost
delete from infrastructure.dns_checks where tenant_id = scratch_load.account(2) and checked_at = (
    select max(checked_at) from infrastructure.dns_checks where tenant_id = scratch_load.account(2));

-- name: history_complete_otherwise
update infrastructure.dns_checks set status = 'invalid' where tenant_id = scratch_load.account(2) and status = 'ok';

-- name: history_complete_unheard
delete from scratch_load.results where tenant_id = scratch_load.account(2);

-- name: history_complete_stale
update infrastructure.dns_records set checked_at = checked_at - interval '1 second' where tenant_id = scratch_load.account(2);

-- name: drift_seen_unmarked
update infrastructure.dns_checks set drift = 'lost' where tenant_id = scratch_load.account(2) and status = 'ok';

-- name: drift_seen_missed
update infrastructure.dns_checks c set status = 'missing'
where c.tenant_id = scratch_load.account(2) and c.status = 'ok' and c.checked_at = (
    select max(o.checked_at) from infrastructure.dns_checks o
    where o.tenant_id = c.tenant_id and o.dns_record_id = c.dns_record_id);

-- name: counters_are_rows_more
update billing.usage_counters set used = used + 1 where tenant_id = scratch_load.account(1) and feature_key = 'domains';

-- name: counters_are_rows_beyond
update billing.usage_counters set maximum = used - 1 where tenant_id = scratch_load.account(1) and feature_key = 'domains';

-- name: counters_are_rows_orphan
update infrastructure.domains set status = 'decommissioned', decommissioned_at = now(), next_check_at = null
where tenant_id = scratch_load.account(3);

-- name: costs_add_up_less
update infrastructure.cost_shares set cents = cents + 1
where owner_tenant_id in (select tenant_id from scratch_load.accounts);

-- name: costs_add_up_report
update infrastructure.costs set starts_on = starts_on - 300, ends_on = ends_on - 300
where id = (select s.cost_id from infrastructure.cost_shares s
            where s.owner_tenant_id in (select tenant_id from scratch_load.accounts) limit 1);

-- name: sample_data_untouched_assigned
update infrastructure.ip_assignments set owner_tenant_id = scratch_load.account(1)
where smtp_ip_id not in (select smtp_ip_id from scratch_load.warmth);

-- name: sample_data_untouched_checked
update scratch_load.results set tenant_id = scratch_load.address(0);

-- name: sample_data_untouched_due
update infrastructure.domains set next_check_at = '2020-01-01 00:00:00+00'
where next_check_at is not null and tenant_id not in (select tenant_id from scratch_load.accounts);

-- Ways in which one row can break a rule; each begins with the rule's name. Run as lab_platform.

-- name: sized_one_tenant_more
insert into public.tenants (name) values ('one more');

-- name: sized_one_lead_more
insert into campaigns.leads (tenant_id, email) select id, 'one@more.example' from public.tenants limit 1;

-- name: lifecycle_suspended_but_when
update public.tenants set suspended_at = null where status = 'suspended';

-- name: lifecycle_updated_before_created
update public.tenants set updated = created - interval '1 second'
where ctid = (select min(ctid) from public.tenants);

-- name: membership_of_nobody
insert into users.tenant_users (tenant_id, user_id, roles)
select tenant_id, gen_random_uuid(), '{member}' from users.tenant_users limit 1;

-- name: membership_before_there_was_a_tenant
update users.tenant_users set created = '2000-01-01'
where ctid = (select min(ctid) from users.tenant_users);

-- name: owned_by_nobody
update users.tenant_users set roles = '{member}'
where ctid = (select min(ctid) from users.tenant_users where 'owner' = any (roles));

-- name: owned_by_two
update users.tenant_users set roles = '{owner}'
where ctid = (select min(ctid) from users.tenant_users where 'member' = any (roles) and deleted is null);

-- name: invited_by_a_stranger
update auth.invites set created_by = gen_random_uuid() where ctid = (select min(ctid) from auth.invites);

-- name: logged_in_though_removed
update users.users set deleted = updated where id = (select user_id from auth.sessions limit 1);

-- name: logged_in_without_credentials
delete from auth.credentials where user_id = (select user_id from auth.sessions limit 1);

-- name: example_addresses_and_a_real_one
update campaigns.leads set email = 'somebody@mail.test' where ctid = (select min(ctid) from campaigns.leads);

-- name: campaign_dates_started_before_created
update campaigns.campaigns set started_at = created_at - interval '1 second'
where ctid = (select min(ctid) from campaigns.campaigns where status = 'running');

-- name: campaign_dates_finished_in_the_future
update campaigns.campaigns set finished_at = '2026-02-01'
where ctid = (select min(ctid) from campaigns.campaigns where status = 'finished');

-- name: campaign_dates_running_though_suspended
update public.tenants set status = 'suspended', suspended_at = '2025-12-31'
where id = (select tenant_id from campaigns.campaigns where status = 'running' limit 1);

-- name: campaign_dates_made_by_a_stranger
update campaigns.campaigns set created_by = gen_random_uuid()
where ctid = (select min(ctid) from campaigns.campaigns);

-- name: sequences_with_a_gap
update campaigns.steps set position = 100
where position = 1 and campaign_id = (select id from campaigns.campaigns where status = 'draft' limit 1);

-- name: sequences_with_a_condition_that_asks_nothing
delete from campaigns.step_conditions
where step_id = (select min(step_id::text)::uuid from campaigns.step_conditions);

-- name: sequences_with_one_answer
update campaigns.steps set parent_id = (select id from campaigns.steps as other
                                        where other.campaign_id = steps.campaign_id and other.position = 1),
                           branch = 'yes'
where ctid = (select min(ctid) from campaigns.steps where branch = 'yes');

-- name: sequences_of_archived_content
update campaigns.templates set status = 'archived'
where id = (select template_id from campaigns.steps where kind = 'action' limit 1);

-- name: branched_the_other_way
update campaigns.step_executions set branch = case branch when 'yes' then 'no' else 'yes' end
where ctid = (select min(ctid) from campaigns.step_executions where branch <> 'next');

-- name: content_of_an_older_version
update campaigns.step_executions as x set template_version_id = older.id
from campaigns.template_versions as sent
join campaigns.template_versions as older
    on older.tenant_id = sent.tenant_id and older.template_id = sent.template_id and older.version = sent.version - 1
where x.template_version_id = sent.id;

-- name: content_of_a_draft_that_is_active
update campaigns.templates set status = 'active'
where ctid = (select min(ctid) from campaigns.templates where status = 'draft');

-- name: content_under_one_key
update campaigns.template_versions set storage_key = 'templates/one'
where ctid = (select min(ctid) from campaigns.template_versions);

-- name: counted_once_too_often
update campaigns.counters set total = total + 1 where ctid = (select min(ctid) from campaigns.counters);

-- name: counted_nowhere
delete from campaigns.counters where ctid = (select min(ctid) from campaigns.counters);

-- name: suppressed_too_late
update campaigns.suppressions set created_at = created_at + interval '1 second'
where ctid = (select min(ctid) from campaigns.suppressions where reason <> 'manual');

-- name: suppressed_before_it_was_sent
update campaigns.suppressions set email_norm = l.email_norm
from campaigns.events as v join campaigns.leads as l on l.tenant_id = v.tenant_id and l.id = v.lead_id
where suppressions.ctid = (select min(ctid) from campaigns.suppressions where reason = 'manual' and expires_at is null)
  and v.tenant_id = suppressions.tenant_id and v.kind = 'sent' and v.occurred_at > suppressions.created_at
  and l.status in ('contacted', 'engaged');

-- name: sent_within_limits_but_at_night
update campaigns.campaigns set window_end = '08:01' where status = 'running';

-- name: sent_within_limits_by_a_stranger
update campaigns.step_executions set email_account_id = gen_random_uuid()
where ctid = (select min(ctid) from campaigns.step_executions where status = 'sent');

-- name: sent_within_limits_over_the_cap
update campaigns.campaigns set daily_cap = 1 where daily_cap is not null;

-- name: lead_status_behind_its_events
update campaigns.leads set status = 'engaged'
where ctid = (select min(ctid) from campaigns.leads where status = 'contacted');

-- name: lead_status_changed_without_event
update campaigns.leads set updated_at = updated_at + interval '1 second'
where ctid = (select min(ctid) from campaigns.leads);

-- name: enrolled_in_time_but_before_import
update campaigns.enrollments set created_at = '2020-01-01'
where ctid = (select min(ctid) from campaigns.enrollments);

-- name: progress_one_step_ahead
update campaigns.enrollments as e set step_id = next.id
from campaigns.steps as next
where next.tenant_id = e.tenant_id and next.parent_id = e.step_id;

-- name: progress_due_a_second_late
update campaigns.enrollments set due_at = due_at + interval '1 second'
where ctid = (select min(ctid) from campaigns.enrollments where status = 'active' and deferred_for is null);

-- name: progress_put_off_for_weeks
update campaigns.enrollments set deferred_since = deferred_since - interval '20 days'
where ctid = (select min(ctid) from campaigns.enrollments where deferred_for in ('no_account', 'daily_limit'));

-- name: progress_due_though_paused
update campaigns.enrollments set due_at = '2025-12-01', deferred_for = null, deferred_since = null
where ctid = (select min(ctid) from campaigns.enrollments where deferred_for = 'campaign_not_running');

-- name: progress_stopped_for_no_reason
update campaigns.enrollments set status = 'stopped', stop_reason = 'replied', due_at = null
where ctid = (select min(e.ctid) from campaigns.enrollments as e
              join campaigns.leads as l on l.tenant_id = e.tenant_id and l.id = e.lead_id
              where e.status = 'active' and l.status in ('new', 'contacted', 'engaged'));

-- name: in_order_but_executed_early
update campaigns.step_executions set executed_at = due_at - interval '1 second'
where ctid = (select min(ctid) from campaigns.step_executions);

-- name: in_order_but_due_early
update campaigns.step_executions set due_at = due_at - interval '1 second'
where ctid = (select min(ctid) from campaigns.step_executions);

-- name: in_order_without_the_first
delete from campaigns.step_executions
where ctid = (select min(x.ctid) from campaigns.step_executions as x
              join campaigns.steps as s on s.tenant_id = x.tenant_id and s.id = x.step_id
              join campaigns.step_executions as later
                  on later.tenant_id = x.tenant_id and later.enrollment_id = x.enrollment_id and later.id <> x.id
              where s.position = 1);

-- name: in_order_sent_by_waiting
update campaigns.steps set kind = 'wait', template_id = null
where id = (select step_id from campaigns.step_executions where status = 'sent' limit 1);

-- name: sent_once_but_not_reported
delete from campaigns.events where ctid = (select min(ctid) from campaigns.events where kind = 'sent');

-- name: sent_once_and_reported_twice
insert into campaigns.events (tenant_id, campaign_id, lead_id, step_id, kind, occurred_at)
select tenant_id, campaign_id, lead_id, step_id, kind, occurred_at
from campaigns.events where kind = 'sent' limit 1;

-- name: one_outcome_bounced_and_delivered
update campaigns.events set kind = 'bounced'
where ctid = (select min(ctid) from campaigns.events where kind = 'opened');

-- name: one_outcome_missing
delete from campaigns.events
where ctid = (select min(v.ctid) from campaigns.events as v
              where v.kind = 'delivered'
                and not exists (select from campaigns.events as o
                                where o.tenant_id = v.tenant_id and o.lead_id = v.lead_id
                                  and o.step_id = v.step_id and o.kind not in ('sent', 'delivered')));

-- name: one_outcome_opened_before_sent
update campaigns.events set occurred_at = '2020-01-01'
where ctid = (select min(ctid) from campaigns.events where kind = 'opened');

-- name: one_outcome_clicked_unopened
delete from campaigns.events
where ctid = (select min(o.ctid) from campaigns.events as o
              join campaigns.events as c on c.tenant_id = o.tenant_id and c.lead_id = o.lead_id
                                         and c.step_id = o.step_id
              where o.kind = 'opened' and c.kind = 'clicked');

-- name: nothing_after_departure_but_more_mails
update campaigns.events set occurred_at = '2020-01-01'
where ctid = (select min(ctid) from campaigns.events where kind = 'unsubscribed');

-- name: within_campaign_but_after_all_ended
update campaigns.events set occurred_at = '2026-01-02' where ctid = (select min(ctid) from campaigns.events);

-- name: within_campaign_but_before_its_start
update campaigns.events set occurred_at = '2020-01-01' where ctid = (select min(ctid) from campaigns.events);

-- name: keys_carry_time_of_another_moment
update campaigns.events set occurred_at = occurred_at + interval '1 millisecond'
where ctid = (select min(ctid) from campaigns.events);

-- name: keys_carry_time_but_a_random_one
insert into public.tenants (id, name, created) values (gen_random_uuid(), 'random key', '2025-01-01');

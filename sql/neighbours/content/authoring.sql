-- What an author does: in the content database, and in the OLTP. Never in one transaction.

-- name: enter
select lab.enter_tenant(%(tenant)s);

-- name: reserve
select content.reserve(%(tenant)s, %(key)s, %(media_type)s, %(body)s, %(sha256)s, %(lease)s);

-- name: confirm
select content.confirm(%(tenant)s, %(key)s, %(version)s);

-- name: unavailable
select array_agg(key) from content.unavailable(%(tenant)s, %(keys)s) as key;

-- name: fetch
select body, sha256 = pg_catalog.sha256(body) from content.fetch(%(tenant)s, %(key)s);

-- name: mark_deleting
select content.mark_deleting(%(tenant)s, %(keys)s);

-- name: hold_key
-- Whoever repeats a request waits here for who came before.
insert into campaigns.contents (tenant_id, storage_key) values (%(tenant)s, %(key)s) on conflict do nothing returning storage_key;

-- name: saved
-- With the campaign that the same transaction made.
select v.template_id, v.id, (
    select s.campaign_id from campaigns.steps s
    join campaigns.campaigns c on c.tenant_id = %(tenant)s and c.id = s.campaign_id
    where s.tenant_id = %(tenant)s and s.template_id = v.template_id and c.created_at = v.created_at limit 1)
from campaigns.template_versions v
where v.tenant_id = %(tenant)s and v.storage_key = %(key)s;

-- name: save_template
select template_id, version_id from campaigns.save_template(%(tenant)s, %(template)s, %(name)s, %(subject)s, %(key)s);

-- name: create_campaign
select campaign_id, refusal from campaigns.create_campaign(%(tenant)s, %(name)s);

-- name: add_step
select campaigns.add_step(%(tenant)s, %(campaign)s, 'action', template => %(template)s);

-- name: start_campaign
select campaigns.start_campaign(%(tenant)s, %(campaign)s);

-- name: keys_of_campaign
-- Of each mail the newest version's.
select array_agg(newest.storage_key order by s.position)
from campaigns.steps s
cross join lateral (
    select v.storage_key from campaigns.template_versions v
    where v.tenant_id = %(tenant)s and v.template_id = s.template_id order by v.version desc limit 1) newest
where s.tenant_id = %(tenant)s and s.campaign_id = %(campaign)s and s.kind = 'action';

-- name: keys_of_template
select array_agg(storage_key) from campaigns.template_versions where tenant_id = %(tenant)s and template_id = %(template)s;

-- name: archive_template
select campaigns.set_template_status(%(tenant)s, %(template)s, 'archived');

-- name: delete_template
select campaigns.delete_template(%(tenant)s, %(template)s);

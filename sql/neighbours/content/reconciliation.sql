-- What the reconciler asks of the content database and tells the OLTP, as lab_platform. It sees every
-- tenant; what it changes, it changes of one tenant at a time.

-- name: session
set statement_timeout = '60s';
set lock_timeout = '5s';

-- name: expired
-- What was put and neither confirmed nor given up: its author is late, or gone.
select tenant_id, array_agg(storage_key order by storage_key)
from (select o.tenant_id, o.storage_key from content.objects o
      where o.state = 'pending' and o.lease_until < clock_timestamp() order by o.lease_until limit %(batch)s) as late
group by tenant_id;

-- name: versions
select storage_key, version_id from campaigns.versions_of_contents(%(tenant)s, %(keys)s);

-- name: confirm
select content.confirm(%(tenant)s, %(key)s, %(version)s);

-- name: mark_deleting
select content.mark_deleting(%(tenant)s, %(keys)s);

-- name: restore
select content.restore(%(tenant)s, %(keys)s);

-- name: remove
select content.remove(%(tenant)s, %(keys)s);

-- name: doomed
-- What has been deleting for longer than the grace period.
select tenant_id, array_agg(storage_key order by storage_key)
from (select o.tenant_id, o.storage_key from content.objects o
      where o.state = 'deleting' and o.changed_at < clock_timestamp() - %(grace)s order by o.changed_at limit %(batch)s) as due
group by tenant_id;

-- name: condemn
select array_agg(key) from campaigns.condemn_contents(%(tenant)s, %(keys)s) as key;

-- name: reference_table
create temp table if not exists referred (tenant_id uuid, storage_key text, version_id uuid);
truncate referred;

-- name: references_out
copy (select tenant_id, storage_key, id from campaigns.template_versions) to stdout (format binary);

-- name: references_in
copy referred from stdin (format binary);

-- name: analyze_references
create index if not exists referred_key on referred (tenant_id, storage_key);
analyze referred;

-- name: unreferenced
-- Live for longer than the grace period, and of no version.
select o.tenant_id, array_agg(o.storage_key order by o.storage_key)
from content.objects o
where o.state = 'live' and o.changed_at < clock_timestamp() - %(grace)s
  and not exists (select from referred r where r.tenant_id = o.tenant_id and r.storage_key = o.storage_key)
group by o.tenant_id;

-- name: wrongly_deleting
select o.tenant_id, array_agg(o.storage_key order by o.storage_key)
from content.objects o
where o.state = 'deleting'
  and exists (select from referred r where r.tenant_id = o.tenant_id and r.storage_key = o.storage_key)
group by o.tenant_id;

-- name: dangling
select r.tenant_id, array_agg(distinct r.storage_key order by r.storage_key)
from referred r
where not exists (select from content.objects o where o.tenant_id = r.tenant_id and o.storage_key = r.storage_key)
group by r.tenant_id;

-- name: present
-- Of those that were missing, what is there.
select array_agg(o.storage_key) from content.objects o where o.tenant_id = %(tenant)s and o.storage_key = any (%(keys)s);

-- name: missing
select tenant_id, array_agg(storage_key order by storage_key) from campaigns.contents where status = 'missing' group by tenant_id;

-- name: note_missing
select campaigns.note_missing_contents(%(tenant)s, %(keys)s);

-- name: note_found
select campaigns.note_found_contents(%(tenant)s, %(keys)s);

-- name: forget
select campaigns.forget_condemned_contents(clock_timestamp() - %(after)s);

-- name: judge
-- Faults as they are now, with up to three keys each: dangling are versions whose object is missing or
-- not what its hash says; orphans are objects of no version that should have gone by now.
with faults as (
    select 'dangling' as fault, r.storage_key
    from referred r
    where not exists (
        select from content.objects o
        where o.tenant_id = r.tenant_id and o.storage_key = r.storage_key and o.sha256 = pg_catalog.sha256(o.body))
    union all
    select 'orphan', o.storage_key
    from content.objects o
    where not exists (select from referred r where r.tenant_id = o.tenant_id and r.storage_key = o.storage_key)
      and coalesce(o.lease_until, o.changed_at) < clock_timestamp() - %(grace)s
)
select kind.fault, count(f.storage_key), coalesce((array_agg(f.storage_key order by f.storage_key) filter (where f.storage_key is not null))[1:3], '{}')
from (values ('dangling'), ('orphan')) as kind (fault)
left join faults f using (fault)
group by kind.fault;

-- name: running_without_content
-- Campaigns that run though the OLTP knows that what they send is lost.
select count(*)
from campaigns.contents k
join campaigns.template_versions v on v.tenant_id = k.tenant_id and v.storage_key = k.storage_key
join campaigns.steps s on s.tenant_id = v.tenant_id and s.template_id = v.template_id
join campaigns.campaigns c on c.tenant_id = s.tenant_id and c.id = s.campaign_id and c.status = 'running'
where k.status <> 'claimed'
  and not exists (select from campaigns.template_versions newer
                  where newer.tenant_id = v.tenant_id and newer.template_id = v.template_id and newer.version > v.version);

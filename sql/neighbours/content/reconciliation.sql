-- What the reconciler asks of the content database and tells the OLTP, as lab_platform. It sees every
-- tenant; what it changes, it changes of one tenant at a time.

-- name: expired
-- What was stored and neither confirmed nor given up: its author is late, or gone.
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

-- name: version_digests
-- A row a tenant: all that its versions refer to, in 64 bits.
select tenant_id, count(*), bit_xor(hashtextextended(storage_key, uuid_hash_extended(id, 0)))
from campaigns.template_versions group by tenant_id;

-- name: use_digests
-- The same of what is noted here.
select tenant_id, count(*), bit_xor(hashtextextended(storage_key, uuid_hash_extended(version_id, 0)))
from content.uses group by tenant_id;

-- name: references
select coalesce(array_agg(storage_key), '{}'), coalesce(array_agg(id), '{}') from campaigns.template_versions where tenant_id = %(tenant)s;

-- name: differences
-- Where a tenant's versions and uses disagree. A use that is younger than the grace period may be of a
-- version that was committed after the versions were read.
select
    case when r.version is null then 'gone' when o.storage_key is null then 'missing' else 'unconfirmed' end,
    coalesce(r.key, u.storage_key), coalesce(r.version, u.version_id)
from unnest(%(keys)s::text[], %(versions)s::uuid[]) as r (key, version)
full join (select * from content.uses where tenant_id = %(tenant)s) as u on u.storage_key = r.key and u.version_id = r.version
left join content.objects o on o.tenant_id = %(tenant)s and o.storage_key = r.key
where u.version_id is null or (r.version is null and u.confirmed_at < clock_timestamp() - %(grace)s);

-- name: drop_uses
select content.drop_uses(%(tenant)s, %(versions)s);

-- name: unused
-- Live, and for longer than the grace period of no version that is noted.
select o.tenant_id, array_agg(o.storage_key order by o.storage_key)
from content.objects o
where o.state = 'live' and o.changed_at < clock_timestamp() - %(grace)s
  and not exists (select from content.uses u where u.tenant_id = o.tenant_id and u.storage_key = o.storage_key)
group by o.tenant_id;

-- name: deleting
select tenant_id, array_agg(storage_key order by storage_key) from content.objects where state = 'deleting' group by tenant_id;

-- name: restore
select content.restore(%(tenant)s, %(keys)s);

-- name: note_missing
select campaigns.note_missing_contents(%(tenant)s, %(keys)s);

-- name: missing
select tenant_id, array_agg(storage_key order by storage_key) from campaigns.contents where status = 'missing' group by tenant_id;

-- name: present
-- Of those that were missing, what is there.
select array_agg(o.storage_key) from content.objects o where o.tenant_id = %(tenant)s and o.storage_key = any (%(keys)s);

-- name: note_found
select campaigns.note_found_contents(%(tenant)s, %(keys)s);

-- name: doomed
-- What has been deleting for longer than the grace period.
select tenant_id, array_agg(storage_key order by storage_key)
from (select o.tenant_id, o.storage_key from content.objects o
      where o.state = 'deleting' and o.changed_at < clock_timestamp() - %(grace)s order by o.changed_at limit %(batch)s) as due
group by tenant_id;

-- name: condemn
select array_agg(key) from campaigns.condemn_contents(%(tenant)s, %(keys)s) as key;

-- name: remove
select content.remove(%(tenant)s, %(keys)s);

-- name: forget
select campaigns.forget_condemned_contents(clock_timestamp() - %(after)s);

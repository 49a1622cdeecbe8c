-- The content database from the sample data: a body for every storage key, made on the server.

-- name: source
select incarnation::text from lab.incarnation;

-- name: filled
select source from lab.fills;

-- name: empty
delete from content.uses;
delete from content.objects;
delete from lab.fills;

-- name: version_table
create temp table version (tenant_id uuid, storage_key text, version_id uuid, version integer, subject text, created_at timestamptz)
on commit drop;

-- name: versions_out
copy (select tenant_id, storage_key, id, version, subject, created_at from campaigns.template_versions) to stdout (format binary);

-- name: versions_in
copy version from stdin (format binary);

-- name: objects
-- A mail of two to twelve paragraphs; the same key always has the same body.
with written as (
    select v.tenant_id, v.storage_key, v.created_at, convert_to(
        '<!doctype html><html><head><title>' || v.subject || '</title></head><body><h1>' || v.subject || '</h1>'
        || (select string_agg(
                '<p>Hello {{first_name}}, ' || md5(v.storage_key || n) || ' is what this paragraph of version '
                || v.version || ' is about. ' || repeat('We thought that you might want to know. ', 2 + n % 5) || '</p>',
                '' order by n)
            from generate_series(1, 2 + (hashtext(v.storage_key) & 2147483647) % 11) as n)
        || '<p><a href="{{unsubscribe_url}}">Unsubscribe</a></p></body></html>', 'UTF8') as body
    from version v
)
insert into content.objects (tenant_id, storage_key, state, sha256, size, media_type, body, created_at, changed_at)
select tenant_id, storage_key, 'live', pg_catalog.sha256(body), octet_length(body), 'text/html', body, created_at, created_at
from written
on conflict do nothing;

-- name: uses
insert into content.uses (tenant_id, storage_key, version_id, confirmed_at)
select tenant_id, storage_key, version_id, created_at from version on conflict do nothing;

-- name: note
insert into lab.fills (source) values (%(source)s);

-- name: sizes
select count(*), coalesce(sum(size), 0)::bigint, count(distinct tenant_id) from content.objects;

-- What a channel that is tried "for each" of something is tried on. Columns are parts of its queries.

-- name: tenants
-- The spy and its victim: the two active tenants with the most leads.
select t.id from public.tenants t
where t.status = 'active'
order by (select count(*) from campaigns.leads l where l.tenant_id = t.id) desc, t.id
limit 2;

-- name: coin
-- Secrets of a channel that has none of its own: the victim acts, or does not.
select mod(i, 2) = 0 as secret from generate_series(1, %(trials)s) as i;

-- name: unique_key
-- Every unique or exclusion index of tenants' tables that lab_app may insert into. A key that is not
-- taken is one's own copy of a row with fresh values in those columns that nothing restricts.
select i.indexrelid::regclass::text as name,
       i.indrelid::regclass::text as "table",
       (select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a
        where a.attrelid = i.indrelid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
          and has_column_privilege('lab_app', a.attrelid, a.attnum, 'insert')) as columns,
       (select string_agg(format('o.%1$I = t.%1$I', a.attname), ' and ') from pg_attribute a
        where a.attrelid = i.indrelid and a.attnum = any (i.indkey) and a.attname <> 'tenant_id') as same,
       coalesce(pg_get_expr(i.indpred, i.indrelid), 'true')
       || coalesce((select string_agg(format(' and %I is not null', a.attname), '') from pg_attribute a
                    where a.attrelid = i.indrelid and a.attnum = any (i.indkey) and not a.attnotnull), '') as condition,
       (select string_agg(format('%L, %s', a.attname, case a.atttypid::regtype::text
                   when 'uuid' then 'gen_random_uuid()'
                   when 'text' then 'md5(random()::text) || ''@example.com'''
                   when 'date' then '''2200-01-01''::date + (random() * 10000)::integer'
                   when 'timestamp with time zone' then '''2200-01-01''::timestamptz + random() * interval ''9 years'''
                   else '(1e9 * random())::integer' end), ', ')
        from pg_attribute a
        where a.attrelid = i.indrelid and a.attname <> 'tenant_id' and not a.attisdropped
          and a.atttypid in ('uuid'::regtype, 'text'::regtype, 'date'::regtype, 'timestamptz'::regtype,
                             'integer'::regtype, 'bigint'::regtype)
          -- a stored generated column gets fresh from what it is generated from
          and (a.attnum = any (i.indkey) and a.attgenerated = ''
               or exists (select from pg_depend d join pg_attribute g on g.attrelid = a.attrelid
                              and g.attnum = any (i.indkey) and g.attgenerated <> ''
                          join pg_attrdef f on f.adrelid = g.attrelid and f.adnum = g.attnum
                          where d.classid = 'pg_attrdef'::regclass and d.objid = f.oid
                            and d.refobjid = a.attrelid and d.refobjsubid = a.attnum))
          and a.attname !~ '^(setting|policy|feature|flag)_key$'  -- checked by triggers
          and not exists (select from pg_constraint k where k.conrelid = a.attrelid and k.contype = 'c'
                            and a.attnum = any (k.conkey)
                            and a.atttypid in ('text'::regtype, 'integer'::regtype, 'bigint'::regtype))) as fresh
from pg_index i
join pg_class c on c.oid = i.indrelid
join pg_namespace n on n.oid = c.relnamespace
where (i.indisunique or i.indisexclusion)
  and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') and n.nspname !~ '^(pg_|scratch_)'
  and has_any_column_privilege('lab_app', c.oid, 'insert')
  and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')
order by 1;

-- name: reference
-- Every foreign key of a table that lab_app may insert into, but the one to the tenant itself. What is
-- said of a row that is missing names the key, or something else refused before it.
select k.conname::text as name,
       k.conname::text as said,
       k.conrelid::regclass::text as "table",
       k.confrelid::regclass::text as referenced,
       case when exists (select from pg_attribute a where a.attrelid = k.confrelid and a.attname = 'tenant_id')
            then 'tenant_id = %(victim)s' else 'true' end as theirs,
       (select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a
        where a.attrelid = k.conrelid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
          and has_column_privilege('lab_app', a.attrelid, a.attnum, 'insert')) as columns,
       (select string_agg(format('%L, r.%I', a.attname, f.attname), ', ')
        from unnest(k.conkey, k.confkey) as u (own, other)
        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.own
        join pg_attribute f on f.attrelid = k.confrelid and f.attnum = u.other
        where a.attname <> 'tenant_id') as theirs_as_ours,
       (select string_agg(format('%L, gen_random_uuid()', a.attname), ', ')
        from unnest(k.conkey) as own join pg_attribute a on a.attrelid = k.conrelid and a.attnum = own
        where a.attname <> 'tenant_id' and a.atttypid = 'uuid'::regtype) as missing,
       (select format('%L, null', '') || coalesce(string_agg(distinct format(', %L, %s', a.attname,
                   case a.atttypid::regtype::text when 'uuid' then 'gen_random_uuid()' else '(1e9 * random())::integer' end), ''), '')
        from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
        where i.indrelid = k.conrelid and i.indisunique and a.attname not in ('tenant_id')
          and not exists (select from pg_constraint other where other.conrelid = a.attrelid
                            and other.contype = 'f' and a.attnum = any (other.conkey))
          and a.atttypid in ('uuid'::regtype, 'integer'::regtype)) as fresh
from pg_constraint k
join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
where k.contype = 'f' and k.conparentid = 0 and n.nspname !~ '^scratch_'
  and has_any_column_privilege('lab_app', c.oid, 'insert')
  and exists (select from unnest(k.conkey) as own
              join pg_attribute a on a.attrelid = k.conrelid and a.attnum = own and a.attname <> 'tenant_id'
              where has_column_privilege('lab_app', a.attrelid, a.attnum, 'insert'))
order by 1;

-- name: argument
-- Every argument that names a row, of every operation that lab_app may call. The other arguments are
-- one's own rows, or defaults, or anything.
with argument as (
    select p.oid, format('%I.%I', n.nspname, p.proname) as operation, a.name, a.position,
           format_type(a.type, null) as type,
           a.position > p.pronargs - p.pronargdefaults as optional,
           case when a.name in ('acting_user', 'creator', 'author', 'recipient') then 'users.tenant_users'
                when a.name in ('tenant', 'tenants') then 'public.tenants'
                when a.type in ('uuid'::regtype, 'uuid[]'::regtype) then (
                    select min(c.oid::regclass::text) from pg_class c
                    join pg_namespace s on s.oid = c.relnamespace
                    where c.relkind = 'r' and s.nspname in (n.nspname, 'billing', 'campaigns')
                      and c.relname ~ ('(^|_)' || case a.name when 'after' then 'step' when 'before_id' then 'lead'
                                                             else rtrim(a.name, 's') end || 's$')) end as source
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    cross join lateral unnest((p.proargnames)[1:p.pronargs], p.proargtypes::oid[]) with ordinality as a (name, type, position)
    where has_function_privilege('lab_app', p.oid, 'execute')
      and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^(pg_|scratch_)'
      and p.oid <> 'lab.enter_tenant(uuid,uuid)'::regprocedure
      and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
), passed as (
    select *, case source when 'users.tenant_users' then 'user_id' else 'id' end as key,
           case source when 'public.tenants' then 'id' else 'tenant_id' end as owner,
           case when type in ('uuid', 'uuid[]') and source is not null then
                    format(case type when 'uuid' then '%1$s' else 'array[%1$s]' end,
                           format('(select s.%I from %s s where s.%I = %%(own)s limit 1)',
                                  case source when 'users.tenant_users' then 'user_id' else 'id' end, source,
                                  case source when 'public.tenants' then 'id' else 'tenant_id' end))
                when type = 'text' then quote_literal('x')
                when type in ('integer', 'bigint', 'smallint') then '1'
                when type = 'boolean' then 'true'
                when type = 'jsonb' then '''{}'''
                when type = 'timestamp with time zone' then 'now()'
                else 'null::' || type end as anything
    from argument
)
select format('%s %s', probed.operation, probed.name) as name, probed.source as referenced,
       probed.key, probed.owner,
       format('%s(%s)', probed.operation, string_agg(
           format('%I => %s', other.name,
                  case when other.position <> probed.position then other.anything
                       when probed.type = 'uuid' then '%(guess)s::uuid' else 'array[%(guess)s]::uuid[]' end),
           ', ' order by other.position)) as call
from passed probed
join passed other on other.oid = probed.oid and (not other.optional or other.position = probed.position)
where probed.type in ('uuid', 'uuid[]') and probed.source is not null
group by probed.oid, probed.operation, probed.name, probed.source, probed.key, probed.owner
order by 1;

-- name: superuser
select rolsuper from pg_roles where rolname = current_user;

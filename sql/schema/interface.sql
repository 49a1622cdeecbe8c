-- The interface that other stages build on, read from the catalog of a built database. Texts are
-- ordered by their bytes, so that every server gives the same page.

-- name: tables
select
    n.nspname as "schema", c.relname as "table",
    case
        when shared.table_name is not null then 'shared'
        when tenant.attname is not null or c.oid = 'public.tenants'::regclass then 'tenant'
        else 'platform'
    end as "whose",
    (select string_agg(a.attname, ', ' order by array_position(k.conkey, a.attnum))
     from pg_attribute a where a.attrelid = c.oid and a.attnum = any (k.conkey)) as "primary key",
    case when stamp.attname is not null then 'yes' else 'no' end as "mirrored",
    obj_description(c.oid, 'pg_class') as "what it holds"
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_constraint k on k.conrelid = c.oid and k.contype = 'p'
left join lab.shared_tables shared on shared.table_name = c.oid
left join pg_attribute tenant on tenant.attrelid = c.oid and tenant.attname = 'tenant_id'
left join pg_attribute stamp on stamp.attrelid = c.oid and stamp.attname = 'change_xid'
where c.relkind in ('r', 'p') and not c.relispartition
  and n.nspname not in ('pg_catalog', 'information_schema')
order by n.nspname, c.relname;

-- name: operations
-- What a role may call; the caller that the comment names comes first.
select
    n.nspname as "schema",
    format('`%s(%s)`', p.proname, parameters.taken) as "operation",
    format('`%s`', replace(
        concat(pg_get_function_result(p.oid), '(' || parameters.given || ')'),
        'timestamp with time zone', 'timestamptz')) as "returns",
    callers.names || case when p.prosecdef then format(' (runs as %s)', p.proowner::regrole) else '' end
        as "called by",
    upper(left(purpose.text, 1)) || substr(purpose.text, 2) as "what it does"
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
cross join obj_description(p.oid, 'pg_proc') as comment (text)
cross join regexp_replace(comment.text, '^lab_\w+: ', '') as purpose (text)
cross join lateral (
    select string_agg(r.rolname, ', '
                      order by r.rolname <> split_part(comment.text, ':', 1), r.rolname) as names
    from pg_roles r
    where r.rolname like 'lab\_%' and r.rolcanlogin and has_function_privilege(r.oid, p.oid, 'execute')
) as callers
-- Defaults without their casts; parameters that are given back belong to the result.
cross join regexp_replace(
    replace(replace(pg_get_function_arguments(p.oid), 'timestamp with time zone', 'timestamptz'),
            ' DEFAULT ', ' = '),
    '::\w+(\[\])?', '', 'g') as arguments (text)
cross join lateral (
    select regexp_replace(arguments.text, '(, |^)OUT .*$', ''),
           replace(substring(arguments.text from 'OUT .*$'), 'OUT ', '')
) as parameters (taken, given)
where n.nspname not in ('pg_catalog', 'information_schema')
  and p.prorettype <> 'trigger'::regtype
  and callers.names is not null
  and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
order by n.nspname, p.proname, pg_get_function_identity_arguments(p.oid) collate "C";

-- name: roles
select
    r.rolname as "role", case when r.rolcanlogin then 'yes' else 'no' end as "logs in",
    regexp_replace(shobj_description(r.oid, 'pg_authid'), '^oltp_lab: ', '') as "what it is for"
from pg_roles r
where r.rolname like 'lab\_%'
order by r.rolname;

-- name: rights
-- What a role may do with the tables of a schema: all, all but some, or which; columns in brackets
-- where it may not touch the others.
with granted as (
    select
        r.rolname, n.nspname, c.relname, privilege.name as privilege,
        has_table_privilege(r.oid, c.oid, privilege.name) as whole,
        part.columns
    from pg_roles r
    cross join pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    cross join (values ('select'), ('insert'), ('update'), ('delete')) as privilege (name)
    cross join lateral (
        select string_agg(a.attname, ', ' order by a.attnum) as columns
        from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
          and case when privilege.name <> 'delete'
                   then has_column_privilege(r.oid, c.oid, a.attnum, privilege.name) end
    ) as part
    where r.rolname like 'lab\_%' and r.rolcanlogin
      and c.relkind in ('r', 'p') and not c.relispartition
      and n.nspname not in ('pg_catalog', 'information_schema')
), told as (
    select
        rolname, nspname, privilege,
        case
            when count(*) filter (where whole) > count(*) / 2 then concat_ws(
                '; ',
                concat_ws(' but ', 'all', string_agg(relname, ', ' order by relname)
                    filter (where not whole and columns is null)),
                string_agg(format('of %s only (%s)', relname, columns), ', ' order by relname)
                    filter (where not whole and columns is not null))
            else string_agg(
                case when whole then relname::text else format('%s (%s)', relname, columns) end,
                ', ' order by relname) filter (where whole or columns is not null)
        end as tables
    from granted
    group by rolname, nspname, privilege
)
select
    rolname as "role", nspname as "schema",
    coalesce(max(tables) filter (where privilege = 'select'), '') as "select",
    coalesce(max(tables) filter (where privilege = 'insert'), '') as "insert",
    coalesce(max(tables) filter (where privilege = 'update'), '') as "update",
    coalesce(max(tables) filter (where privilege = 'delete'), '') as "delete"
from told
group by rolname, nspname
having count(tables) > 0
order by rolname, nspname;

-- name: policies
-- Alike policies of a role together; where all forced tables of a schema have it, SCHEMA.*.
with forced as (
    select c.oid, n.nspname, c.relname, count(*) over (partition by n.nspname) as of_schema
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relforcerowsecurity and not c.relispartition
), policies as (
    select
        coalesce(r.rolname, 'public') as rolname, f.nspname, f.relname, f.of_schema,
        case p.polcmd when '*' then 'all' when 'r' then 'select' when 'a' then 'insert'
                      when 'w' then 'update' else 'delete' end
            || case when p.polpermissive then '' else ', restrictive' end as command,
        texts.reached, texts.left_behind
    from pg_policy p
    join forced f on f.oid = p.polrelid
    cross join unnest(p.polroles) as member (oid)
    left join pg_roles r on r.oid = member.oid
    cross join lateral (
        select max(words.text) filter (where place = 1) as reached,
               max(words.text) filter (where place = 2) as left_behind
        from unnest(array[pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)])
            with ordinality as expression (text, place)
        cross join regexp_replace(replace(expression.text, '::text', ''), '\s+', ' ', 'g') as plain (text)
        cross join regexp_replace(
            plain.text, '\(NULLIF\(current_setting\(''nile\.(\w+)_id'', true\), ''''\)\)::uuid', 'current \1', 'g')
            as words (text)
    ) as texts
), alike as (
    select
        rolname, nspname, command, reached, left_behind,
        case when count(*) = max(of_schema) and count(*) > 1 then format('`%s.*`', nspname)
             else string_agg(format('`%s.%s`', nspname, relname), ', ' order by relname) end as tables
    from policies
    group by rolname, nspname, command, reached, left_behind
)
select
    rolname as "role", command as "for",
    string_agg(tables, ', ' order by nspname) as "on",
    coalesce('`' || reached || '`', '') as "rows that it reaches",
    case when left_behind = reached then 'the same' else coalesce('`' || left_behind || '`', '') end
        as "rows that it may leave"
from alike
group by rolname, command, reached, left_behind
order by rolname, min(nspname), min(tables) collate "C", command collate "C", reached collate "C";

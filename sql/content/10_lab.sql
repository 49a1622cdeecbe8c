-- The tenant in context, as the OLTP database has it: set through one function, read by every policy.

create schema lab;

create function lab.enter_tenant(tenant uuid, acting_user uuid default null) returns void
    language plpgsql volatile
    set search_path = pg_catalog
as $$
begin
    perform set_config('nile.tenant_id', coalesce(tenant::text, ''), true),
            set_config('nile.user_id', coalesce(acting_user::text, ''), true);
end
$$;
comment on function lab.enter_tenant(uuid, uuid) is
    'Sets the tenant (and user) that row level security reads, until the end of the transaction.';

create table lab.fills (
    source    text not null,
    filled_at timestamptz not null default now(),
    only_row  boolean not null default true,
    constraint fills_pkey primary key (only_row),
    constraint fills_only_row_check check (only_row)
);
comment on table lab.fills is 'One row: the incarnation of the OLTP database whose sample data was filled in.';

revoke execute on all functions in schema lab from public;
grant usage on schema lab to lab_app, lab_platform;
grant execute on function lab.enter_tenant(uuid, uuid) to lab_app, lab_platform;
grant select, insert, delete on lab.fills to lab_platform;

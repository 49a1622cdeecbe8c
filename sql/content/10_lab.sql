-- Where the bodies were filled in from, and who may set the tenant in context.

create table lab.fills (
    source    text not null,
    filled_at timestamptz not null default now(),
    only_row  boolean not null default true,
    constraint fills_pkey primary key (only_row),
    constraint fills_only_row_check check (only_row)
);
comment on table lab.fills is 'One row: the incarnation of the OLTP database whose sample data was filled in.';

grant usage on schema lab to lab_app, lab_platform;
grant execute on function lab.enter_tenant(uuid, uuid) to lab_app, lab_platform;
grant select, insert, delete on lab.fills to lab_platform;

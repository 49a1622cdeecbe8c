-- A table was added after row level security was.
-- on: campaigns.notes
create table campaigns.notes (tenant_id uuid not null, note text);
insert into campaigns.notes select id, name from public.tenants;
grant all on campaigns.notes to lab_app;

-- The parent's policies do not apply to who asks the partition.
-- on: campaigns.clicks_2025
create table campaigns.clicks (tenant_id uuid not null, clicked_at timestamptz not null)
    partition by range (clicked_at);
create table campaigns.clicks_2025 partition of campaigns.clicks for values from ('2025-01-01') to ('2026-01-01');
alter table campaigns.clicks enable row level security;
alter table campaigns.clicks force row level security;
create policy tenant on campaigns.clicks to lab_app
    using (tenant_id = nullif(current_setting('nile.tenant_id', true), '')::uuid);
insert into campaigns.clicks select id, '2025-06-01' from public.tenants;
grant select on campaigns.clicks, campaigns.clicks_2025 to lab_app, lab_platform;
create policy platform on campaigns.clicks to lab_platform using (true);

-- A tenant reads who the other tenants are.
-- on: public.tenants
alter policy tenant on public.tenants using (true);

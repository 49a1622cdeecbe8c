-- A child table that inherits columns but no policies.
-- on: billing.archived_invoices
create table billing.archived_invoices () inherits (billing.invoices);
insert into billing.archived_invoices select * from billing.invoices;
grant select on billing.archived_invoices to lab_app, lab_platform;

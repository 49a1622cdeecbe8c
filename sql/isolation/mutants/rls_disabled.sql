-- Row level security is switched off on a table.
-- on: campaigns.leads
alter table campaigns.leads disable row level security;

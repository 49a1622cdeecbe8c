-- A name is unique across tenants: inserting it tells whether somebody has it.
-- on: infrastructure.domains
create unique index domains_name_everywhere on infrastructure.domains (name);

-- The setting is compared as a pattern.
-- on: campaigns.templates
alter policy tenant on campaigns.templates using (tenant_id::text like current_setting('nile.tenant_id', true));

-- A suspended tenant may delete.
-- on: campaigns.leads
drop policy tenant_may_delete on campaigns.leads;

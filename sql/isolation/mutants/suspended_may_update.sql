-- A suspended tenant may write.
-- on: campaigns.leads
drop policy tenant_may_update on campaigns.leads;

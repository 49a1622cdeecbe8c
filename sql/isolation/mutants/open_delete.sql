-- Deletes have a policy of their own that lets every row through, and the brake of suspension is off.
-- on: campaigns.leads
create policy tidy on campaigns.leads for delete to lab_app using (true);
drop policy tenant_may_delete on campaigns.leads;

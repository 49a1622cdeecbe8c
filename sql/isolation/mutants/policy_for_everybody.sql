-- A policy meant for one role was written without TO.
-- on: campaigns.suppressions
create policy reporting on campaigns.suppressions for select using (true);

-- The owner of a table is no longer bound by its policies.
-- on: campaigns.steps
alter table campaigns.steps no force row level security;

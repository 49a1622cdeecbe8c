-- The same by an exclusion constraint.
-- on: infrastructure.domains
alter table infrastructure.domains add constraint domains_name_excl exclude using btree (name with =);

-- Insert a row in the other tenant's name: a copy of one of its own. Row level security is checked
-- before any constraint, so a unique violation would mean that it let the row through.
-- kind: statement
insert into {table} ({columns}) select {columns} from jsonb_populate_record(null::{table}, {victim_row})

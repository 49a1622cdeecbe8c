-- Insert a copy of the other tenant's row unless it is there: silence would tell that it is.
-- kind: statement
-- leaks when: accepted
insert into {table} ({columns}) select {columns} from jsonb_populate_record(null::{table}, {victim_row})
on conflict do nothing

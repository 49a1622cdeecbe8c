-- Insert a row of one's own that refers to the other tenant's; the foreign key must refuse it.
-- kind: statement
-- needs: own rows
-- for each: fixed foreign key
-- refused with: 23503
insert into {table} ({columns}) select {columns} from jsonb_populate_record(null::{table}, {crossing_row})

-- The same, asking for the row.
-- kind: statement
insert into {table} ({columns}) select {columns} from jsonb_populate_record(null::{table}, {victim_row}) returning *

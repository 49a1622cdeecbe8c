-- Insert without any tenant in context.
-- context: none
insert into {table} ({columns}) select {columns} from jsonb_populate_record(null::{table}, %(victim_row)s)

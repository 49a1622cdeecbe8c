-- Insert a copy of the other tenant's row by MERGE.
-- kind: statement
merge into {table} using jsonb_populate_record(null::{table}, {victim_row}) as source on false
when not matched then insert ({columns}) values ({source_columns})

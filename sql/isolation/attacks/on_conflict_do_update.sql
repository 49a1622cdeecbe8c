-- Write over the other tenant's row by inserting it again.
-- kind: statement
-- for each: primary key
insert into {table} ({columns}) select {columns} from jsonb_populate_record(null::{table}, {victim_row})
on conflict ({key}) do update set {column} = excluded.{column}

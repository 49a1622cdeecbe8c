-- Let a row of one's own refer to the other tenant's; the foreign key must refuse it. (An insert might
-- be refused by a unique key before the foreign key is looked at.)
-- kind: statement
-- needs: own rows
-- for each: updatable foreign key
-- refused with: 23503
update {table} set ({key}) = (select {key} from jsonb_populate_record(null::{table}, {crossing_row}))
where ctid = (select ctid from {table} where {tenant} = {own} limit 1)

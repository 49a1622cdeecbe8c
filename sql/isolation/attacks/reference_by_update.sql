-- Let a row of one's own refer to the other tenant's; the foreign key must refuse it. (An insert might
-- be refused by a unique key before the foreign key is looked at.)
-- context: own
-- for each: updatable foreign key
-- needs: own rows
-- refused with: 23503
update {table} set ({reference}) = (select {reference} from jsonb_populate_record(null::{table}, %(crossing_row)s))
where ctid = (select ctid from {table} where {tenant} = %(own)s limit 1)

-- Insert a row of one's own under a key of the other tenant's: a unique violation would tell that it is
-- taken. Keys of nothing but uuids cannot be guessed.
-- kind: statement
-- needs: own rows
-- for each: guessable key
-- leaks with: 23505, 23P01
-- holds when: accepted
insert into {table} ({columns}) select {columns} from jsonb_populate_record(null::{table}, {crossing_row})

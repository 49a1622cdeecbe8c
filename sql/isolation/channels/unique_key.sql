-- Does another tenant have a row with this key?
-- expected: closed
-- observes: answer
-- for each: unique_key
-- advice: Begin every unique and exclusion key with the tenant's column.

-- name: secrets
-- Others' rows, as one's own; and the same with fresh keys.
select s.secret, to_jsonb(t) || jsonb_build_object('tenant_id', %(own)s::uuid)
       || case when s.secret then '{{}}'::jsonb else jsonb_build_object({fresh}) end as row
from (values (true), (false)) as s (secret)
cross join (
    select * from {table} t
    where tenant_id <> %(own)s and {condition}
      and not exists (select from {table} o where o.tenant_id = %(own)s and {same})
    limit %(trials)s) as t;

-- name: probe
insert into {table} ({columns}) select {columns} from jsonb_populate_record(null::{table}, %(row)s);

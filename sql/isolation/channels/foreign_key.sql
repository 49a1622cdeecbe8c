-- Does a row of another tenant, or of the platform, exist with this id?
-- expected: closed
-- observes: answer
-- for each: reference
-- advice: Make foreign keys composite, with the tenant's column; let none lead to a shared table.

-- name: secrets
-- A row of one's own that refers to theirs, or to nothing.
select s.secret, to_jsonb(t) || jsonb_build_object({fresh})
       || case when s.secret then jsonb_build_object({theirs_as_ours}) else jsonb_build_object({missing}) end as row
from (values (true), (false)) as s (secret)
cross join (select * from {referenced} where {theirs} limit %(trials)s) as r
cross join (select * from {table} where tenant_id = %(own)s limit 1) as t;

-- name: probe
insert into {table} ({columns}) select {columns} from jsonb_populate_record(null::{table}, %(row)s);

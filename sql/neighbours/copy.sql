-- Copying tables of the lab's database into another of the same schema.

-- name: columns
-- Those that a row is given, in an order.
select a.attname
from pg_attribute a
where a.attrelid = %(table)s::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
order by a.attnum

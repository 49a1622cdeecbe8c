-- Whole queries. {source}, {table} and {related} are written first, and the rest sees their columns.
-- The first production of each file is what a query shrinks to.

-- name: plain
select {projection} from {source}

-- name: filtered
select {projection} from {source} where {predicate}

-- name: counted
select count(*) from {source} where {predicate}

-- name: distinct
select distinct {column}, {column} from {source} where {predicate}

-- name: distinct_on
select distinct on ({exact:group}) {exact:group}, {column} from {source} where {predicate}
order by {exact:group}, {key}

-- name: order_limit
select {projection} from {source} where {predicate} order by {ordered} desc nulls last, {key} limit 4

-- name: page
select {projection} from {source} order by {key} limit 5 offset 1

-- name: aggregate
select {aggregate}, {aggregate} from {source} where {predicate}

-- name: group_by
select {exact:group}, {aggregate}, {aggregate} from {source} where {predicate} group by {exact:group}

-- name: having
select {exact:group}, {aggregate} from {source} group by {exact:group} having count(*) > 1

-- name: rollup
select {exact:one}, {exact:two}, {aggregate} from {source} group by rollup ({exact:one}, {exact:two})

-- name: window_rank
select {column}, rank() over (partition by {exact} order by {exact}) from {source} where {predicate}

-- name: window_frame
select {column}, row_number() over (order by {key}), lag({column}) over (order by {key}),
       count(*) over (partition by {exact})
from {source}

-- name: union
select {column:one}, {column:two} from {table:same} where {predicate}
union
select {column:one}, {column:two} from {table:same} where {predicate}

-- name: union_all
select {column:one} from {table:same} where {predicate}
union all
select {column:one} from {table:same}

-- name: except
select {column:one}, {column:two} from {table:same}
except
select {column:one}, {column:two} from {table:same} where {predicate}

-- name: except_all
select {column:one} from {table:same}
except all
select {column:one} from {table:same} where {predicate}

-- name: intersect
select {column:one}, {column:two} from {table:same}
intersect
select {column:one}, {column:two} from {table:same} where {predicate}

-- name: except_related
select {near} from {table} except select {far} from {related}

-- name: intersect_related
select {near} from {table} intersect all select {far} from {related}

-- name: cte
with {alias} as (select {columns} from {table} where {predicate})
select {projection} from {alias} where {predicate}

-- name: materialized_cte
with {alias} as materialized (select {columns} from {table} where {predicate})
select {projection} from {alias} where {predicate}

-- name: cte_twice
with {alias} as (select {columns} from {table})
select count(*) from {alias} union all select count(*) from {alias} where {predicate}

-- name: fenced_subquery
select {projection} from (select {columns} from {table} offset 0) as {alias} where {predicate}

-- name: unnest
select {column}, element::text, place
from {source} cross join lateral unnest({array}) with ordinality as elements (element, place)
where {predicate}

-- name: jsonb_path_query
select {column}, element::text
from {source} cross join lateral jsonb_path_query({jsonb}, '$.*') as elements (element)
where {predicate}

-- Values of many rows. None depends on their order: no sum of floats.

-- name: count
count(*)

-- name: count_column
count({column})

-- name: count_distinct
count(distinct {ordered})

-- name: count_filter
count(*) filter (where {predicate})

-- name: min
min({greatest})

-- name: max
max({greatest})

-- name: sum
sum({number})

-- name: avg
avg({number})

-- name: bool_and
bool_and({flag})

-- name: array_agg
array_agg({column:same} order by {column:same})

-- name: string_agg
string_agg(distinct {column:same}::text, ',' order by {column:same}::text)

-- name: bool_or
bool_or({predicate})

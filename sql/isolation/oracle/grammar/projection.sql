-- What a query shows of each row. An {outer_column} is chosen before {related} is opened.

-- name: one
{column}

-- name: several
{column}, {column}, {column}

-- name: whole_row
{row}

-- name: case
case when {predicate} then {column} end

-- name: coalesce
coalesce({text}, '-')

-- name: scalar_count
{outer_column}, (select count(*) from {related} where {link})

-- name: scalar_greatest
{outer_column}, (select max({newest_greatest}) from {related} where {link})

-- name: exists_flag
{outer_column}, exists (select from {related} where {link} and {predicate})

-- name: array_subquery
array(select {newest_column} from {related} where {link} order by {newest_key})

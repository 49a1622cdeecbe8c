-- What stands after FROM. Joins follow foreign keys, either way, and now and then leave out the
-- tenant's column of one.

-- name: alone
{table}

-- name: inner_join
{source} join {related} on {link}

-- name: left_join
{source} left join {related} on {link}

-- name: right_join
{source} right join {related} on {link}

-- name: full_join
{source} full join {related} on {link}

-- name: lateral
{source} left join lateral (
    select {columns} from {related} where {link} order by {newest_key} limit 2) as {alias} on true

-- name: lateral_filtered
{source} cross join lateral (select {columns} from {related} where {link} and {predicate}) as {alias}

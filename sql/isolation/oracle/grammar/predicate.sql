-- Conditions. A {value} is of the column before it, from a row of the tenant or of another one.

-- name: is_not_null
{column} is not null

-- name: is_null
{column} is null

-- name: equals
{ordered} = {value}

-- name: not_equal
{ordered} <> {value}

-- name: at_least
{ordered} >= {value}

-- name: at_most
{ordered} <= {value}

-- name: between
{ordered} not between symmetric {value} and {value}

-- name: is_distinct_from
{ordered} is distinct from {value}

-- name: in_list
{ordered} in ({value}, {value}, {value})

-- name: not_in_list
{ordered} not in ({value}, {value})

-- name: any_of
{exact} = any (array[{value}, {value}])

-- name: like
{text} like left({value}, 2) || '%'

-- name: not_like
{text} not ilike '%' || right({value}, 3)

-- name: pattern
{text} ~ '[a-m]$'

-- name: flag
{flag} is not true

-- name: compared
{greatest} <= {alike}

-- name: array_contains
{array} @> {value}

-- name: array_overlaps
not {array} && {value}

-- name: jsonb_contains
{jsonb} @> {value}

-- name: jsonb_type
jsonb_typeof({jsonb}) = 'object'

-- name: and
({predicate} and {predicate})

-- name: or
({predicate} or {predicate})

-- name: not
not ({predicate})

-- name: exists
exists (select from {related} where {link} and {predicate})

-- name: not_exists
not exists (select from {related} where {link})

-- name: in_related
({near}) in (select {far} from {related} where {predicate})

-- name: not_in_related
({near}) not in (select {far} from {related} where {predicate})

-- name: count_related
(select count(*) from {related} where {link}) >= 1

-- name: count_all
(select count(*) from {table} where {predicate}) > 1

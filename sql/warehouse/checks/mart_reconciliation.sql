-- A mart, whichever it is, compared with the staging tables that it is made of.

-- name: totals
-- Control totals that the two have otherwise.
with mart as ({mart}), staged as ({staging})
select coalesce(mart.tenant_id, staged.tenant_id)::varchar as tenant_id, coalesce(mart.day, staged.day) as day,
       coalesce(mart.figure, staged.figure) as figure, coalesce(mart.total, 0), coalesce(staged.total, 0)
from mart full join staged
    on mart.tenant_id = staged.tenant_id and mart.day is not distinct from staged.day and mart.figure = staged.figure
where coalesce(mart.total, 0) <> coalesce(staged.total, 0)
order by tenant_id, day, figure;

-- name: key_columns
select column_name from (describe {keys});

-- name: scope
create or replace temp table scope as
select distinct * from ({keys}) where hash({sliced_by}) % {slices} = {turn};

-- name: differing_rows
with kept as (
    from {mart} where hash({sliced_by}) % {slices} = {turn}
), anew as ({rows}),
differing as (
    select *, 1 as too_many, 0 as lacking from (from kept except all from anew)
    union all
    select *, 0, 1 from (from anew except all from kept)
)
select translate(struct_pack({key})::varchar, '{{}}''', '') as key, sum(too_many)::bigint, sum(lacking)::bigint
from differing group by {key} order by key;

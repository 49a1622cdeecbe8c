-- Through a function that was first called in the other tenant's context and keeps its plans.
-- sees: own
-- takes: query
begin;
set local plan_cache_mode = force_generic_plan;
create function pg_temp.attack() returns setof boolean language plpgsql as $attack$
begin
    return query select true from ({attack}) as seen;
end
$attack$;
{enter_victim};
do $plan$ begin perform from pg_temp.attack(); exception when division_by_zero then null; end $plan$;
{enter_own};
select * from pg_temp.attack();

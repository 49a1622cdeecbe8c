-- Through a function in SQL, which is planned with the query around it.
-- sees: own
-- takes: query
begin;
create function pg_temp.attack() returns setof boolean language sql stable as $attack$
    select true from ({attack}) as seen;
$attack$;
{enter_own};
select * from pg_temp.attack();

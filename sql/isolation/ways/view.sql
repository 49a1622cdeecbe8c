-- Through a view of one's own, made in the other tenant's context.
-- sees: own
-- takes: query
begin;
{enter_victim};
create temporary view attack as {attack};
{enter_own};
select * from attack;

-- By storing what a query returns.
-- sees: own
-- takes: query
begin;
{enter_own};
create temporary table attack on commit drop as {attack};
table attack;

-- Does another tenant use a feature, by the calls in pg_stat_statements?
-- expected: closed
-- closed by: superuser
-- observes: growth
-- victim: rolls back
-- because: Only a superuser may take the view from everybody.
-- advice: Revoke select on pg_stat_statements, and execute on its function, from public.

-- name: act
select name from campaigns.lists where tenant_id = %(victim)s order by created_at desc limit 7;

-- name: probe
select coalesce(sum(calls), 0) from pg_stat_statements where query like '%%campaigns.lists%%created_at desc%%' and query not like '%%pg_stat%%';

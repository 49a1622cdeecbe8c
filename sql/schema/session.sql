-- How a build reads its files: what does not say its schema is PostgreSQL's own, whoever left what
-- where; and a table that somebody keeps locked is not waited for.
set local search_path = pg_catalog, pg_temp;
set local lock_timeout = '30s';

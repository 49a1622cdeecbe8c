-- What has another tenant set for all sessions of their common role?
-- expected: open
-- observes: answer
-- victim: commits
-- because: A role may always alter its own settings, which are everybody's to read and hold for every later session.
-- advice: Give the application an API rather than SQL; look into pg_db_role_setting, and refuse a session whose nile.tenant_id does not begin empty.

-- name: act
do $$ begin execute format('alter role lab_app in database %%I set application_name = ''it happened''', current_database()); end $$;

-- name: probe
select count(*) from pg_db_role_setting where 'application_name=it happened' = any (setconfig);

-- name: undo
do $$ begin execute format('alter role lab_app in database %I reset application_name', current_database()); end $$;

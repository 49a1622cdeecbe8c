-- The five roles of the lab. They belong to the whole server, so they come before any layer, and an
-- existing role is only taken over if the lab made it (its comment says so).
do $$
declare
    wanted record;
    made_by_lab boolean;
begin
    for wanted in
        select * from (values
            ('lab_owner',     'nologin', 'owns every object, never logs in'),
            ('lab_app',       'login',   'the application, one tenant at a time'),
            ('lab_auth',      'login',   'signs up and in, lists a user''s tenants, switches, accepts invites'),
            ('lab_platform',  'login',   'workers that cross tenants'),
            ('lab_analytics', 'login',   'reads for the warehouse')
        ) as role (name, login, purpose)
    loop
        select shobj_description(oid, 'pg_authid') like 'oltp_lab: %'
        into made_by_lab
        from pg_roles where rolname = wanted.name;

        if not found then
            begin
                execute format('create role %I %s nosuperuser nobypassrls nocreatedb nocreaterole noreplication',
                               wanted.name, wanted.login);
            exception when duplicate_object or unique_violation then
                continue;  -- a concurrent build on the same server made it
            end;
            execute format('comment on role %I is %L', wanted.name, 'oltp_lab: ' || wanted.purpose);
        elsif made_by_lab is not true then
            raise exception 'the role % exists on this server but the lab did not make it', wanted.name
                using errcode = 'duplicate_object';
        end if;
    end loop;
end
$$;

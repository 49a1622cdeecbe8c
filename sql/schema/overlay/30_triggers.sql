-- State machines: a status changes only as lab.transitions allows.

create function lab.check_transition() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    if not exists (
        select from lab.transitions
        where table_name = tg_argv[0] and from_status = old.status and to_status = new.status
    ) then
        raise exception '% % cannot go from % to %', tg_argv[0], new.id, old.status, new.status
            using errcode = 'check_violation',
                  hint = format('allowed from %s: %s', old.status, coalesce((
                      select string_agg(to_status, ', ' order by to_status) from lab.transitions
                      where table_name = tg_argv[0] and from_status = old.status), 'nothing'));
    end if;
    return new;
end
$$;
comment on function lab.check_transition() is 'Refuses a change of status that lab.transitions does not list.';

do $$
declare
    machine text;
begin
    for machine in select distinct table_name from lab.transitions loop
        execute format('create trigger check_transition before update of status on %s for each row '
                       'when (old.status is distinct from new.status) '
                       'execute function lab.check_transition(%L)', machine::regclass, machine);
    end loop;
end
$$;

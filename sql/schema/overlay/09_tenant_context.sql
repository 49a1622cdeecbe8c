-- The tenant in context: set through one function, read by every policy. Neighbouring databases have it too.

create schema lab;

-- plpgsql, not sql: its plans are cached across the calls of a session.
create function lab.enter_tenant(tenant uuid, acting_user uuid default null) returns void
    language plpgsql volatile
    set search_path = pg_catalog
as $$
begin
    -- A cursor goes on returning the rows of the tenant in whose context it was opened. Those without a
    -- name of their own belong to the statements and loops that are running.
    if nullif(current_setting('nile.tenant_id', true), '') <> tenant::text then
        if exists (select from pg_cursors where name !~ '^(<unnamed portal .*)?$') then
            raise exception 'another tenant''s cursor is open' using errcode = 'invalid_cursor_state',
                hint = 'close it, or end the transaction, before another tenant is entered';
        end if;
    end if;
    perform set_config('nile.tenant_id', coalesce(tenant::text, ''), true),
            set_config('nile.user_id', coalesce(acting_user::text, ''), true);
end
$$;
comment on function lab.enter_tenant(uuid, uuid) is
    'Sets the tenant (and user) that row level security reads, until the end of the transaction. Raises 24000 when a cursor of another tenant''s is open.';

revoke execute on function lab.enter_tenant(uuid, uuid) from public;

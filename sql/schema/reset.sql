-- An empty database whose next objects belong to lab_owner.
do $$
begin
    -- The administrator builds as lab_owner, which a superuser may do without membership.
    if not pg_has_role(current_user, 'lab_owner', 'set') then
        execute format('grant lab_owner to %I with inherit true, set true', current_user);
    end if;
end
$$;

drop owned by lab_owner cascade;

do $$
begin
    execute format('grant create, temporary on database %I to lab_owner', current_database());
end
$$;
grant usage, create on schema public to lab_owner;
revoke create on schema public from public;

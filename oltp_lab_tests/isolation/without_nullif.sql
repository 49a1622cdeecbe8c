-- Every policy without its nullif(..., ''): for a context that is set, or was never, the same policy.
do $$
declare
    policy record;
    context constant text := 'NULLIF\((current_setting\(''nile\.\w+''::text, true\)), ''''::text\)';
begin
    for policy in
        select polname as name, polrelid::regclass as on_table,
               pg_get_expr(polqual, polrelid) as condition, pg_get_expr(polwithcheck, polrelid) as checked
        from pg_policy
    loop
        execute format('alter policy %I on %s', policy.name, policy.on_table)
            || coalesce(' using (' || regexp_replace(policy.condition, context, '\1', 'g') || ')', '')
            || coalesce(' with check (' || regexp_replace(policy.checked, context, '\1', 'g') || ')', '');
    end loop;
end
$$

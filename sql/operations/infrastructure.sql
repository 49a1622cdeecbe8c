-- Domains, the proof of them in DNS, and the email accounts on them. In infrastructure, what is refused
-- for a reason that a caller must expect (limits, conflicts, races) is returned as data.

-- What a domain has to publish.
create function infrastructure.expected_dns_records(domain_name text, selector text, public_key text)
    returns table (kind text, type text, host text, expected text)
    language sql immutable parallel safe
begin atomic
    values ('spf',         'TXT',   domain_name, 'v=spf1 include:spf.mailer.example ~all'),
           ('dkim',        'TXT',   selector || '._domainkey.' || domain_name, 'v=DKIM1; k=rsa; p=' || public_key),
           ('dmarc',       'TXT',   '_dmarc.' || domain_name, 'v=DMARC1; p=none; rua=mailto:dmarc@mailer.example'),
           ('mx',          'MX',    domain_name, '10 mx.mailer.example'),
           ('return_path', 'CNAME', 'bounce.' || domain_name, 'bounce.mailer.example'),
           ('tracking',    'CNAME', 'click.' || domain_name, 'click.mailer.example');
end;
comment on function infrastructure.expected_dns_records(text, text, text) is
    'lab_app: the records that a domain must publish to be used.';

-- A list of tags (RFC 6376, 3.2); null where it is none, or has one twice.
create function infrastructure.tags(list text) returns jsonb
    language sql immutable parallel safe
begin atomic
    select case when count(*) = count(distinct tag.name) and bool_and(tag.name <> '')
                then jsonb_object_agg(tag.name, tag.value) end
    from (select regexp_replace(split_part(part, '=', 1), '\s', '', 'g') as name,
                 regexp_replace(substr(part, strpos(part, '=') + 1), '\s', '', 'g') as value
          from string_to_table(tags.list, ';') as part
          where strpos(part, '=') > 0) as tag;
end;
comment on function infrastructure.tags(text) is
    'lab_platform: the tags of a DKIM or DMARC record by name, without white space.';

create function infrastructure.judge_dns_record(
    kind text, expected text, observed text[], lookups integer default null, authorized boolean default null)
    returns text
    language plpgsql immutable parallel safe
    set search_path = pg_catalog
as $$
declare
    answer text;
    ours text := lower(regexp_replace(expected, '^\d+\s+', ''));
    terms text[];
    tags jsonb;
begin
    if kind in ('spf', 'dmarc') then  -- whose texts may have others beside them
        observed := array(select v from unnest(observed) as v
                          where v ~ case kind when 'spf' then '^\s*[vV]=[sS][pP][fF]1(\s|$)'
                                              else '^\s*[vV]\s*=\s*DMARC1\s*(;|$)' end);
    end if;
    if cardinality(observed) = 0 then
        return 'missing';
    elsif kind = 'mx' then
        -- Ours, among others that take mail: a null MX says that none is taken (RFC 7505).
        return case when exists (select from unnest(observed) as v
                                 where rtrim(lower(regexp_replace(v, '^\d+\s+', '')), '.') = ours)
                     and not exists (select from unnest(observed) as v where v ~ '^\d+\s+\.$')
                    then 'ok' else 'invalid' end;
    elsif cardinality(observed) > 1 then
        return 'invalid';
    end if;

    answer := btrim(observed[1]);
    if kind = 'spf' then
        -- RFC 7208: at most ten look-ups; "all" ends it, and where it is, "redirect" does not count.
        terms := string_to_array(regexp_replace(lower(answer), '\s[+?~-]?all(\s.*)?$', ''), ' ');
        lookups := coalesce(lookups, (
            select count(*) from unnest(terms) as term
            where term ~ '^[+?~-]?(include:|exists:|(a|mx|ptr)([:/]|$))'
               or term like 'redirect=%' and answer !~* '\s[+?~-]?all(\s|$)'));
        ours := substring(ours from 'include:\S+');
        return case when lookups <= 10 and coalesce(authorized, terms && array[ours, '+' || ours])
                    then 'ok' else 'invalid' end;
    elsif answer = expected then
        return 'ok';
    elsif kind = 'dkim' then
        -- RFC 6376: our key, not revoked (an empty one), for mail and by the hash that is signed with.
        tags := infrastructure.tags(answer);
        return case when tags ->> 'p' = infrastructure.tags(expected) ->> 'p'
                     and coalesce(tags ->> 'k', 'rsa') = 'rsa'
                     and (not tags ? 'v' or answer ~ '^v\s*=\s*DKIM1\s*(;|$)')
                     and coalesce(tags ->> 'h', 'sha256') ~ '(^|:)sha256(:|$)'
                     and coalesce(tags ->> 's', '*') ~ '(^|:)(\*|email)(:|$)'
                    then 'ok' else 'invalid' end;
    elsif kind = 'dmarc' then
        -- RFC 7489: who publishes must say a policy, though receivers take a wrong one with a "rua" for none.
        tags := infrastructure.tags(lower(answer));
        return case when tags ->> 'p' in ('none', 'quarantine', 'reject')
                     and coalesce(tags ->> 'sp', 'none') in ('none', 'quarantine', 'reject')
                     and coalesce(tags ->> 'adkim', 'r') in ('r', 's')
                     and coalesce(tags ->> 'aspf', 'r') in ('r', 's')
                    then 'ok' else 'invalid' end;
    end if;
    -- An alias of ours itself: a chain of them could lead through another tenant's domain.
    return case when rtrim(lower(answer), '.') = ours then 'ok' else 'invalid' end;
end
$$;
comment on function infrastructure.judge_dns_record(text, text, text[], integer, boolean) is
    'lab_platform: ok, missing or invalid, from what was expected and what was answered (a TXT''s strings joined). Of an spf that was evaluated also the look-ups that it takes, and whether it authorizes our addresses by our own record; of one that was not, its words are read.';

create view infrastructure.domain_verification with (security_invoker = true) as
select d.tenant_id, d.id as domain_id, d.name, d.status,
       r.spf, r.dkim, r.dmarc, r.mx, r.return_path, r.tracking,
       r.spf = 'ok' and r.dkim = 'ok' and r.mx in ('ok', 'missing') and r.return_path in ('ok', 'missing') as usable,
       r.dmarc = 'ok' and (r.dkim = 'ok' or r.spf = 'ok' and r.return_path = 'ok' and not r.strict) as aligned,
       r.checked_at
from infrastructure.domains d
cross join lateral (
    select coalesce(min(r.status) filter (where r.kind = 'spf'), 'unchecked') as spf,
           coalesce(min(r.status) filter (where r.kind = 'dkim'), 'unchecked') as dkim,
           coalesce(min(r.status) filter (where r.kind = 'dmarc'), 'unchecked') as dmarc,
           coalesce(min(r.status) filter (where r.kind = 'mx'), 'unchecked') as mx,
           coalesce(min(r.status) filter (where r.kind = 'return_path'), 'unchecked') as return_path,
           coalesce(min(r.status) filter (where r.kind = 'tracking'), 'unchecked') as tracking,
           coalesce(bool_or(r.kind = 'dmarc' and array_to_string(r.observed, ';') ~* ';\s*aspf\s*=\s*s\s*(;|$)'), false) as strict,
           min(r.checked_at) as checked_at
    from infrastructure.dns_records r
    where r.tenant_id = d.tenant_id and r.domain_id = d.id) as r;
comment on view infrastructure.domain_verification is
    'What is known of a domain''s DNS, a column a kind of record. Usable: SPF and DKIM are ok, MX and return path not invalid. Aligned: its mail passes DMARC, by DKIM (which signs as the domain itself) or by the return path below it.';

create function infrastructure.add_domain(
    tenant uuid, domain_name text, public_key text, at timestamptz default now(), out domain_id uuid, out refusal text)
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    added infrastructure.domains;
begin
    select c.refusal into refusal from billing.consume_limit(tenant, 'domains', 1, at) c;
    if refusal is not null then
        return;
    end if;
    insert into infrastructure.domains as d (tenant_id, name, dkim_public_key, next_check_at, created_at, updated_at)
    values (tenant, domain_name, public_key, at, at, at)
    on conflict (tenant_id, name_norm) where status <> 'decommissioned' do nothing
    returning d.* into added;
    if not found then
        perform billing.release_limit(tenant, 'domains', 1, at);
        refusal := 'name_taken';
        return;
    end if;
    insert into infrastructure.dns_records (tenant_id, domain_id, kind, type, host, expected, created_at)
    select tenant, added.id, r.kind, r.type, r.host, r.expected, at
    from infrastructure.expected_dns_records(added.name_norm, added.dkim_selector, public_key) r;
    domain_id := added.id;
end
$$;
comment on function infrastructure.add_domain(uuid, text, text, timestamptz) is
    'lab_app: a tenant adds a domain, in status pending, whose records are then expected and looked up. Refusals: those of billing.consume_limit, name_taken.';

-- One domain at a time, each by its tenant: on Citus only such a lock can skip.
create function infrastructure.claim_dns_checks(batch integer, at timestamptz default now())
    returns table (tenant uuid, domain uuid, kind text, type text, host text, expected text)
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    due record;
    claimed integer := 0;
begin
    for due in
        select d.tenant_id, d.id from infrastructure.domains d where d.next_check_at <= at order by d.next_check_at
    loop
        exit when claimed = batch;
        perform from infrastructure.domains d
        where d.tenant_id = due.tenant_id and d.id = due.id and d.next_check_at <= at
        for update skip locked;
        continue when not found;
        update infrastructure.domains d set next_check_at = at + interval '15 minutes'
        where d.tenant_id = due.tenant_id and d.id = due.id;
        claimed := claimed + 1;
        return query
            select due.tenant_id, due.id, r.kind, r.type, r.host, r.expected
            from infrastructure.dns_records r
            where r.tenant_id = due.tenant_id and r.domain_id = due.id;
    end loop;
end
$$;
comment on function infrastructure.claim_dns_checks(integer, timestamptz) is
    'lab_platform: the records of up to so many domains whose look-up is due. They are due again in a quarter of an hour if the caller does not come back; else when the recording says.';

-- An outage makes many fail together: their retries are spread.
create function infrastructure.dns_recheck_after(status text, lasted interval, failures bigint, domain uuid)
    returns interval
    language sql immutable parallel safe
begin atomic
    select case
        when dns_recheck_after.failures > 0 then
            least(interval '5 minutes' * 2 ^ least(dns_recheck_after.failures - 1, 16), interval '1 day')
            * (1 + (hashtext(dns_recheck_after.domain::text) & 255) / 1024.0)
        when dns_recheck_after.status = 'verified' then interval '1 day'
        else greatest(interval '1 hour', least(dns_recheck_after.lasted / 8, interval '1 day'))
    end;
end;
comment on function infrastructure.dns_recheck_after(text, interval, bigint, uuid) is
    'lab_platform: when a domain is looked up again: without an answer so many times after five minutes, twice that, up to a day; verified daily; else hourly, and more rarely the longer it has lasted.';

-- All locks on domains come before those on names, both in an order: batches cannot deadlock.
create function infrastructure.record_dns_answers(answers jsonb, at timestamptz default now())
    returns table (tenant uuid, domain uuid, status text, refusal text)
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    turned record;
    elsewhere uuid[] := '{}';
begin
    perform from infrastructure.domains d
    where (d.tenant_id, d.id) in (select a.tenant, a.domain from jsonb_to_recordset(answers) as a (tenant uuid, domain uuid))
    order by d.tenant_id, d.id
    for update;

    -- Answers that are older than what is known change nothing.
    with judged as (
        select r.tenant_id, r.id, r.status as known, r.observed as known_values, found.observed, a.lookups,
               case when a.error is not null then 'failed'
                    else infrastructure.judge_dns_record(r.kind, r.expected, found.observed, a.lookups, a.authorized)
               end as verdict,
               a.error, a.problem
        from jsonb_to_recordset(answers) as a (
            tenant uuid, domain uuid, kind text, "values" text[], lookups integer, authorized boolean, problem text,
            error text)
        cross join lateral (select array(select v from unnest(a."values") as v order by v collate "C") as observed) as found
        join infrastructure.domains d on d.tenant_id = a.tenant and d.id = a.domain and d.status <> 'decommissioned'
        join infrastructure.dns_records r on r.tenant_id = d.tenant_id and r.domain_id = d.id and r.kind = a.kind
        where r.checked_at is null or r.checked_at < at
    ), noted as (
        insert into infrastructure.dns_checks
            (tenant_id, dns_record_id, checked_at, status, observed, lookups, error, drift)
        select j.tenant_id, j.id, at, j.verdict, j.observed, j.lookups,
               case j.verdict when 'failed' then j.error when 'invalid' then j.problem end,
               case when j.verdict = 'failed' or j.known = 'unchecked' then null
                    when j.known = 'ok' and j.verdict <> 'ok' then 'lost'
                    when j.known <> 'ok' and j.verdict = 'ok' then 'restored'
                    when j.observed <> j.known_values then 'changed' end
        from judged j
        on conflict do nothing
    )
    update infrastructure.dns_records r
    set status = j.verdict, observed = j.observed, checked_at = at
    from judged j
    where r.tenant_id = j.tenant_id and r.id = j.id and j.verdict <> 'failed';

    for turned in
        select d.tenant_id, d.id, d.name_norm, v.usable
        from (select distinct a.tenant, a.domain from jsonb_to_recordset(answers) as a (tenant uuid, domain uuid)) as asked
        join infrastructure.domains d on d.tenant_id = asked.tenant and d.id = asked.domain and d.status <> 'decommissioned'
        join infrastructure.domain_verification v on v.tenant_id = d.tenant_id and v.domain_id = d.id
        where v.usable <> (d.status = 'verified')
        order by d.name_norm, v.usable, d.tenant_id
    loop
        if turned.usable then
            insert into infrastructure.verified_domains (name_norm, owner_tenant_id, domain_id, verified_at)
            values (turned.name_norm, turned.tenant_id, turned.id, at)
            on conflict do nothing;
            if not found then
                elsewhere := elsewhere || turned.id;
                continue;
            end if;
        else
            delete from infrastructure.verified_domains v
            where v.name_norm = turned.name_norm and v.owner_tenant_id = turned.tenant_id;
            if not found then
                continue;
            end if;
        end if;
        update infrastructure.domains d
        set status = case when turned.usable then 'verified' else 'failing' end,
            verified_at = case when turned.usable then at else d.verified_at end, updated_at = at
        where d.tenant_id = turned.tenant_id and d.id = turned.id;
    end loop;

    return query
        with scheduled as (
            update infrastructure.domains d
            set next_check_at = at + infrastructure.dns_recheck_after(d.status, at - d.updated_at, unanswered.times, d.id)
            from (select distinct a.tenant, a.domain
                  from jsonb_to_recordset(answers) as a (tenant uuid, domain uuid)) as asked
            cross join lateral (
                select coalesce(max(failed.times), 0) as times
                from infrastructure.dns_records r
                cross join lateral (
                    select count(*) as times
                    from infrastructure.dns_checks c
                    where c.tenant_id = r.tenant_id and c.dns_record_id = r.id
                      and c.checked_at > coalesce(r.checked_at, '-infinity')) as failed
                where r.tenant_id = asked.tenant and r.domain_id = asked.domain) as unanswered
            where d.tenant_id = asked.tenant and d.id = asked.domain and d.status <> 'decommissioned'
            returning d.tenant_id, d.id, d.status
        )
        select s.tenant_id, s.id, s.status, case when s.id = any (elsewhere) then 'verified_elsewhere' end
        from scheduled s
        union all
        select d.tenant_id, d.id, d.status, 'decommissioned'
        from infrastructure.domains d
        where d.status = 'decommissioned'
          and (d.tenant_id, d.id) in (select a.tenant, a.domain from jsonb_to_recordset(answers) as a (tenant uuid, domain uuid));
end
$$;
comment on function infrastructure.record_dns_answers(jsonb, timestamptz) is
    'lab_platform: notes what was looked up of many domains, [{tenant, domain, kind, values, lookups, authorized, problem, error}]: error where there was no answer, which changes no status; problem, why what was answered will not do. Returns each domain''s status; when it is due again follows. Refusals: verified_elsewhere (usable, but the name is another tenant''s while that one''s DNS holds), decommissioned.';

create function infrastructure.record_dns_checks(
    tenant uuid, domain uuid, answers jsonb, at timestamptz default now(), out status text, out refusal text)
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    select d.status into status from infrastructure.domains d where d.tenant_id = record_dns_checks.tenant and d.id = domain;
    if not found then
        raise exception 'domain % of tenant % does not exist', domain, tenant using errcode = 'invalid_parameter_value';
    end if;
    select recorded.status, recorded.refusal into status, refusal
    from infrastructure.record_dns_answers((
        select jsonb_agg(a || jsonb_build_object('tenant', record_dns_checks.tenant, 'domain', record_dns_checks.domain))
        from jsonb_array_elements(answers) as a), at) as recorded;
end
$$;
comment on function infrastructure.record_dns_checks(uuid, uuid, jsonb, timestamptz) is
    'lab_platform: the same of one domain, whose status it returns.';

create function infrastructure.decommission_domain(
    tenant uuid, domain uuid, at timestamptz default now(),
    out accounts_closed bigint, out addresses_released bigint, out name_released boolean)
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    given_up infrastructure.domains;
begin
    select d.* into given_up from infrastructure.domains d where d.tenant_id = tenant and d.id = domain for update;
    if not found then
        raise exception 'domain % of tenant % does not exist', domain, tenant using errcode = 'invalid_parameter_value';
    elsif given_up.status = 'decommissioned' then
        raise exception 'domain % is decommissioned already', domain using errcode = 'check_violation';
    end if;

    update infrastructure.domains d
    set status = 'decommissioned', decommissioned_at = at, next_check_at = null, updated_at = at
    where d.tenant_id = tenant and d.id = domain;
    delete from infrastructure.verified_domains v
    where v.name_norm = given_up.name_norm and v.owner_tenant_id = tenant;
    name_released := found;
    update infrastructure.email_accounts a
    set status = 'closed', updated_at = at
    where a.tenant_id = tenant and a.domain_id = domain and a.status <> 'closed';
    get diagnostics accounts_closed = row_count;
    perform billing.release_limit(tenant, 'domains', 1, at);
    if accounts_closed > 0 then
        perform billing.release_limit(tenant, 'email_accounts', accounts_closed, at);
    end if;

    -- Addresses that only its accounts sent through, and all of them with the last domain. Locked, as another
    -- might have got one meanwhile.
    select count(*) filter (where infrastructure.release_smtp_ip(held.id, at)) into addresses_released
    from (
        select i.id from infrastructure.smtp_ips i
        where i.owner_tenant_id = tenant
          and not exists (select from infrastructure.email_accounts a
                          where a.tenant_id = tenant and a.smtp_ip_id = i.id and a.status <> 'closed')
          and (exists (select from infrastructure.email_accounts a
                       where a.tenant_id = tenant and a.domain_id = domain and a.smtp_ip_id = i.id)
               or not exists (select from infrastructure.domains d
                              where d.tenant_id = tenant and d.status <> 'decommissioned'))
        order by i.id
        for update of i) as held;
end
$$;
comment on function infrastructure.decommission_domain(uuid, uuid, timestamptz) is
    'lab_platform: gives a domain up: its accounts close, its name and the addresses that nobody else of the tenant sends through are free; says how many.';

create function infrastructure.create_email_account(
    tenant uuid, domain uuid, local_part text, account_provider text, cap integer default 50,
    gap interval default '10 minutes', at timestamptz default now(), out email_account_id uuid, out refusal text)
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    home infrastructure.domains;
begin
    -- Locked, so that a decommissioning sees the account or the account the decommissioning.
    select d.* into home from infrastructure.domains d where d.tenant_id = tenant and d.id = domain for share;
    if not found then
        raise exception 'domain % of tenant % does not exist', domain, tenant using errcode = 'invalid_parameter_value';
    elsif home.status <> 'verified' then
        refusal := 'domain_not_verified';
        return;
    elsif not configuration.policy_allows(tenant, 'allowed_providers', account_provider) then
        refusal := 'provider_not_allowed';
        return;
    end if;
    select c.refusal into refusal from billing.consume_limit(tenant, 'email_accounts', 1, at) c;
    if refusal is not null then
        return;
    end if;
    insert into infrastructure.email_accounts as a
        (tenant_id, domain_id, address, provider, daily_cap, minimum_gap, created_at, updated_at)
    values (tenant, domain, local_part || '@' || home.name, account_provider, cap, gap, at, at)
    on conflict (tenant_id, address_norm) where status <> 'closed' do nothing
    returning a.id into email_account_id;
    if not found then
        perform billing.release_limit(tenant, 'email_accounts', 1, at);
        refusal := 'address_taken';
    end if;
end
$$;
comment on function infrastructure.create_email_account(uuid, uuid, text, text, integer, interval, timestamptz) is
    'lab_app: opens an account on a verified domain. Refusals: domain_not_verified, provider_not_allowed, those of billing.consume_limit, address_taken.';

create function infrastructure.set_email_account_status(tenant uuid, account uuid, wanted text, at timestamptz default now())
    returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    perform from infrastructure.email_accounts a
    where a.tenant_id = tenant and a.id = account and a.status = wanted for update;
    if found then
        raise exception 'email account % is % already', account, wanted using errcode = 'check_violation';
    end if;
    update infrastructure.email_accounts a set status = wanted, updated_at = at
    where a.tenant_id = tenant and a.id = account;
    if not found then
        raise exception 'email account % of tenant % does not exist', account, tenant
            using errcode = 'invalid_parameter_value';
    end if;
    if wanted = 'closed' then
        perform billing.release_limit(tenant, 'email_accounts', 1, at);
    end if;
end
$$;
comment on function infrastructure.set_email_account_status(uuid, uuid, text, timestamptz) is
    'lab_app: pauses, resumes or closes an account.';

create function infrastructure.set_email_account_limits(
    tenant uuid, account uuid, cap integer, gap interval, at timestamptz default now()) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    update infrastructure.email_accounts a set daily_cap = cap, minimum_gap = gap, updated_at = at
    where a.tenant_id = tenant and a.id = account;
    if not found then
        raise exception 'email account % of tenant % does not exist', account, tenant
            using errcode = 'invalid_parameter_value';
    end if;
end
$$;
comment on function infrastructure.set_email_account_limits(uuid, uuid, integer, interval, timestamptz) is
    'lab_app: sets an account''s daily cap and minimum gap; a lower cap holds at once, a higher one from the next day.';

revoke execute on all functions in schema infrastructure from public;
grant execute on all functions in schema infrastructure to lab_platform;
grant execute on function
    infrastructure.expected_dns_records(text, text, text),
    infrastructure.add_domain(uuid, text, text, timestamptz),
    infrastructure.create_email_account(uuid, uuid, text, text, integer, interval, timestamptz),
    infrastructure.set_email_account_status(uuid, uuid, text, timestamptz),
    infrastructure.set_email_account_limits(uuid, uuid, integer, interval, timestamptz) to lab_app;
grant select on infrastructure.domain_verification to lab_app, lab_platform, lab_analytics;

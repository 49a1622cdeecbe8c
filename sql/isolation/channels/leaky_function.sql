-- Can a function of one's own, cheaper than the policy, see another tenant's row before it?
-- expected: closed
-- observes: answer
-- advice: Let the application create no functions: no CREATE on schemas, no TEMPORARY on the database.

-- name: secrets
select s.secret, case when s.secret then l.email_norm else md5(random()::text) || '@example.com' end as address
from (values (true), (false)) as s (secret)
cross join (
    select l.email_norm from campaigns.leads l
    where l.tenant_id = %(victim)s
      and not exists (select from campaigns.leads o where o.tenant_id = %(own)s and o.email_norm = l.email_norm)
    limit %(trials)s) as l;

-- name: prepare
set enable_indexscan = off; set enable_bitmapscan = off;
create function pg_temp.told(address text, wanted text) returns boolean language plpgsql cost 0.0001 as $$
begin
    if address = wanted then
        raise exception 'there it is';
    end if;
    return true;
end
$$;

-- name: probe
select count(*) from campaigns.leads where pg_temp.told(email_norm, %(address)s);

-- Does another tenant have a list with this id, by how long a reference to it takes to be refused?
-- expected: closed
-- observes: time
-- advice: Make foreign keys composite, with the tenant's column: both probes then come to the same place of the index.

-- name: secrets
-- Ids are close to each other in time, as those that a spy would guess.
select s.secret,
       case when s.secret then t.id else overlay(t.id::text placing substr(gen_random_uuid()::text, 25) from 25)::uuid end as guess,
       mine.id as lead
from (values (true), (false)) as s (secret)
cross join (select id from campaigns.lists where tenant_id = %(victim)s limit %(trials)s) as t
cross join (select id from campaigns.leads where tenant_id = %(own)s limit 1) as mine;

-- name: probe
insert into campaigns.list_leads (tenant_id, list_id, lead_id) values (%(own)s, %(guess)s, %(lead)s);

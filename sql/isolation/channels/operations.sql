-- Does an operation answer differently about a row of another tenant and one that does not exist?
-- expected: closed
-- observes: answer
-- for each: argument
-- draws: once
-- advice: Say "does not exist" of what is not one's own; look rows up by tenant and id together.

-- name: secrets
-- Each id once: answers may depend on an id by chance (flags do), which is no knowledge of it.
select s.secret, case when s.secret then t.guess else gen_random_uuid() end as guess
from (values (true), (false)) as s (secret)
cross join (select distinct {key} as guess from {referenced} where {owner} <> %(own)s limit %(trials)s) as t;

-- name: probe
select * from {call} as answer;

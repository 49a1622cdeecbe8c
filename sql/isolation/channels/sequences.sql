-- Does another tenant add rows, by a sequence?
-- expected: closed
-- observes: growth
-- victim: rolls back
-- advice: Use no sequences: keys are uuids that the clock and chance make.

-- name: act
insert into campaigns.lists (tenant_id, name) values (%(victim)s, 'covert channel');

-- name: probe
select coalesce(sum(last_value), 0) from pg_sequences;

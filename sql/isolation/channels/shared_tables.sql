-- Does what a tenant does leave a trace in a table that all of them read?
-- expected: closed
-- observes: answer
-- victim: commits
-- advice: Let nothing that a tenant causes be written to a shared table.

-- name: act
insert into campaigns.lists (tenant_id, name) select %(victim)s, 'covert channel ' || gen_random_uuid() from generate_series(1, 3);

-- name: probe
select (select jsonb_agg(to_jsonb(b) order by b.part) from lab.builds b),
       (select to_jsonb(i) from lab.incarnation i),
       (select count(*) from configuration.settings),
       (select count(*) from integration.notification_kinds);

-- name: tidy
delete from campaigns.lists where name like 'covert channel %';

-- How fast this server is right now, whatever the lab's own tables and operations are: what a short
-- transaction of an application leans on, in about equal parts of its time. The work is on what every
-- database of a version has alike, so that nothing is set up, and is the same for every workload and scale.
\set first random(1, 3000)
\startpipeline
-- the processor
select sum(hashint4(n)) from generate_series(1, 1000) as n;
-- a few cached pages, by an index
select count(proname) from pg_catalog.pg_proc where oid between :first and :first + 60;
-- a durable commit: the message is in the write-ahead log alone, and the transaction waits for it
select pg_logical_emit_message(true, 'oltp_lab', repeat('calibration ', 20));
\endpipeline

-- A worker's turn: it claims what is due, and executes each step in a transaction of its own, one round trip
-- for all of them. With nothing due it rests.
with claimed as (
    insert into scratch_load.claims (turn, place, tenant_id, enrollment_id, step_id, due_at, claimed_at)
    select turn, row_number() over (), due.tenant_id, due.enrollment_id, due.step_id, due.due_at, at
    from nextval('scratch_load.turns') as turn, scratch_load.clock() as at,
        campaigns.claim_due_steps(10, 5, at) as due
    returning turn
)
select coalesce(min(turn), 0) as turn, count(*) as claimed from claimed \gset
\if :claimed = 0
\sleep 100 ms
\else
\startpipeline
select scratch_load.execute(:turn, 1);
\syncpipeline
select scratch_load.execute(:turn, 2);
\syncpipeline
select scratch_load.execute(:turn, 3);
\syncpipeline
select scratch_load.execute(:turn, 4);
\syncpipeline
select scratch_load.execute(:turn, 5);
\syncpipeline
select scratch_load.execute(:turn, 6);
\syncpipeline
select scratch_load.execute(:turn, 7);
\syncpipeline
select scratch_load.execute(:turn, 8);
\syncpipeline
select scratch_load.execute(:turn, 9);
\syncpipeline
select scratch_load.execute(:turn, 10);
\endpipeline
\endif

-- A worker finds no step that is due.
select * from campaigns.claim_due_steps(100, 20, '1999-01-01')

-- A worker takes the five steps that are due.
select * from campaigns.claim_due_steps(100, 20, '2001-01-01')

-- A worker takes a batch of very many steps that are due.
select * from campaigns.claim_due_steps(100, 20)

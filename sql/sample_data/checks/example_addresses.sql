-- campaigns.leads: every address is below .example, which nobody can own.
select 'lead' as whose, id, email from campaigns.leads where email_norm !~ '^[a-z0-9.]+@[a-z0-9-]+\.example$'
union all
select 'user', id, email from users.users where email !~ '^[a-z0-9.]+@[a-z0-9-]+\.example$'

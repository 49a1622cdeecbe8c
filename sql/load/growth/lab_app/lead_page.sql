-- A page of leads in one status, newest first.
select id, email, first_name, last_name, created_at from campaigns.list_leads(%(tenant)s, 'contacted', 10)

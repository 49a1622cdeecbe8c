-- Where the acting user is a member: other tenants' business, though it is the same person.
select tenant_id from users.tenant_users where user_id = %(acting_user)s

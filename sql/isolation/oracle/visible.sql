-- What a tenant may see of a table, said without row level security: a query SCHEMA__TABLE for each
-- table that does not name its tenant in a column.

-- name: by_column
select * from {table} where {column} = {tenant}::{type}

-- name: users__users
select * from users.users
where id in (select member.user_id from users.tenant_users member where member.tenant_id = {tenant}::uuid)

-- Write without any tenant in context.
-- context: none
update {table} set {tenant} = {tenant}

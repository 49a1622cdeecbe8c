-- Delete the other tenant's rows by MERGE.
-- kind: statement
merge into {table} using (select {victim} as tenant) as source on {table}.{tenant} = source.tenant
when matched then delete

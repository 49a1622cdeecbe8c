-- Write to the other tenant's rows by MERGE (CVE-2023-39418 was a hole in it).
-- kind: statement
merge into {table} using (select {victim} as tenant) as source on {table}.{tenant} = source.tenant
when matched then update set {column} = {table}.{column}

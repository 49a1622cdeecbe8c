-- Let a condition fail on the other tenant's rows: it must not be evaluated before the policy.
-- kind: query
-- leaks with: 22012
select {column} from {table} where 1 / (case when {tenant} = {victim} then 0 else 1 end) = 2

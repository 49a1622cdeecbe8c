-- Does a statement that was prepared and planned in one tenant's context read its rows in the next one's?
-- expected: closed
-- observes: answer
-- victim: same session
-- advice: Let policies read the setting by a stable expression: an immutable one is planned in.

-- name: act
set local plan_cache_mode = force_generic_plan;
prepare left_behind as select distinct tenant_id = %(own)s from campaigns.leads;
execute left_behind;

-- name: rest
prepare left_behind as select distinct tenant_id = %(own)s from campaigns.leads;

-- name: probe
execute left_behind;

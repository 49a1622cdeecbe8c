-- A growing flag goes to more people, another one to more or fewer.
\set flag random(1, :flags)
\set rollout random(0, 100)
select configuration.set_rollout(
    f.key, case mod(:flag, 3) when 1 then least(100, f.rollout + 1) else :rollout end, f.segment_key, f.segment_rollout)
from (select * from configuration.feature_flags where key = scratch_load.flag(:flag) for no key update) as f
where mod(:flag, 3) <> 0;

-- The kill switch of a flag that changes at will.
\set flag random(1, :flags)
\set wanted random(1, 4)
select configuration.switch_flag(scratch_load.flag(least(:flag / 3 * 3 + 2, (:flags - 2) / 3 * 3 + 2)), :wanted > 1);

-- A flag that changes at will is turned on or off for a tenant or a user, or that is lifted.
\set account random_zipfian(1, :accounts, 1.1)
\set member random(0, 4)
\set flag random(1, :flags)
\set wanted random(1, 3)
select configuration.override_flag(
    scratch_load.account(:account), case when :member > 0 then scratch_load.member(:account, :member) end,
    scratch_load.flag(least(:flag / 3 * 3 + 2, (:flags - 2) / 3 * 3 + 2)), (array[true, false])[:wanted]);

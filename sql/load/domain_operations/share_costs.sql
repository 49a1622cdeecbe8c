-- The books of the days that are over are closed.
select scratch_load.note('share_costs', case when infrastructure.attribute_costs(
    '2021-01-25', (scratch_load.clock() at time zone 'UTC')::date, scratch_load.clock()) > 0 then 'shared' else 'nothing to share' end, :client_id);

-- Of the measurements: covert channels, from the newest run.

-- name: surprising
-- Those that are not what their file declares, or could not be tried.
select channel, expected, verdict, bits_per_probe, bits_per_second, detail
from covert_channels
where verdict <> expected
    and run_id = (select arg_max(run_id, recorded_at) from covert_channels)
order by verdict desc, channel;

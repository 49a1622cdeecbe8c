-- A worker does what time has made due: renewals, ends of trials, cancellations.
select scratch_load.note('advance_subscriptions', split_part(d.outcome, ':', 1), :client_id)
from billing.advance_subscriptions(10, scratch_load.clock()) as d;

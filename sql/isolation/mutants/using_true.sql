-- A policy was opened while somebody was looking for a bug.
-- on: campaigns.events
alter policy tenant on campaigns.events using (true);

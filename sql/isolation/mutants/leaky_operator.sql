-- Division was declared leakproof, so conditions fail on rows that the policy hides.
-- on: campaigns.leads
alter function pg_catalog.int4div(integer, integer) leakproof;

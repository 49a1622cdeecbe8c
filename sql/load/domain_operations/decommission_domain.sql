-- A domain is given up, with its accounts and what only they sent through.
\set account random_zipfian(1, :accounts, 1.1)
\set domain random(1, :domains_each)
select scratch_load.decommission(
    scratch_load.account(:account), scratch_load.domain_name(:account, :domain), :client_id);

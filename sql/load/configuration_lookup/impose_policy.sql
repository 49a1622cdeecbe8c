-- The platform allows a tenant fewer providers, or more.
\set account random_zipfian(1, :accounts, 1.1)
\set most random(1, 4)
select configuration.impose_policy(
    scratch_load.account(:account), 'allowed_providers', policy_values => (array['google', 'smtp', 'microsoft', 'ses'])[1:(:most)]);

-- An account on one of the domains, should that be verified and the address not taken.
\set account random_zipfian(1, :accounts, 1.1)
\set domain random(1, :domains_each)
\set box random(1, 4)
\startpipeline
select lab.enter_tenant(scratch_load.account(:account));
select scratch_load.open_account(
    scratch_load.account(:account), scratch_load.domain_name(:account, :domain), 'box' || :box, :client_id);
select scratch_load.assert_isolated(scratch_load.account(:account), array_agg(distinct tenant_id))
from (select tenant_id from infrastructure.domains limit 20) as seen;
\endpipeline

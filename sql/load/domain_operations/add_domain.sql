-- One that is there already, that was given up, or that is one too many.
\set account random_zipfian(1, :accounts, 1.1)
\set domain random(1, :domains_each + 4)
\startpipeline
select lab.enter_tenant(scratch_load.account(:account));
select scratch_load.add_domain(
    scratch_load.account(:account), scratch_load.domain_name(:account, :domain), :client_id);
select scratch_load.assert_isolated(scratch_load.account(:account), array_agg(distinct tenant_id))
from (select tenant_id from infrastructure.domains limit 20) as seen;
\endpipeline

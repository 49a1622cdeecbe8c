-- A mailbox is opened with a provider, where policy allows it.
\set account random_zipfian(1, :accounts, 1.1)
\set member random(1, 4)
\set provider random(1, 5)
\set number random(1, 1000000000)
\startpipeline
select lab.enter_tenant(scratch_load.account(:account), scratch_load.member(:account, :member));
select scratch_load.note('open_account', coalesce(opened.refusal, 'opened'), :client_id)
from infrastructure.domains d
cross join lateral infrastructure.create_email_account(
    d.tenant_id, d.id, 'box-' || :number, (array['smtp', 'google', 'microsoft', 'ses', 'sendgrid'])[:provider]) as opened
where d.tenant_id = scratch_load.account(:account);
select scratch_load.assert_isolated(scratch_load.account(:account), array_agg(distinct tenant_id))
from (select tenant_id from configuration.tenant_settings limit 20) as seen;
\endpipeline

-- Some mails go out, as far as warm-up lets them. Large tenants send more.
\set account random_zipfian(1, :accounts, 1.1)
\set mails random(1, 5)
select scratch_load.send(scratch_load.account(:account), :mails, :client_id);

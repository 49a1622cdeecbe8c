-- fails with: 22012
select tenant_id from campaigns.campaigns group by tenant_id having 1 / (count(*) - count(*)) = 1

-- fails with: 23505
insert into campaigns.campaigns (tenant_id, id, name)
values (%(tenant)s, %(campaign)s, 'Load run')

-- A worker finds no campaign whose time has come.
select campaigns.start_scheduled_campaigns()

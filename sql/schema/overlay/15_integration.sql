-- The state machine of notifications, and the kinds there are.

insert into lab.transitions (table_name, from_status, to_status) values
    ('integration.notifications', 'pending', 'delivered'),
    ('integration.notifications', 'pending', 'failed'),
    ('integration.notifications', 'failed', 'delivered'),
    ('integration.notifications', 'failed', 'dead'),
    -- what is refused for good is not tried again
    ('integration.notifications', 'pending', 'dead'),
    -- an operator tries again what was given up
    ('integration.notifications', 'dead', 'pending'),
    ('integration.notifications', 'delivered', 'read');

insert into lab.shared_tables (table_name, writers, reason) values
    ('integration.notification_kinds', '{lab_platform}', 'definitions, the same for everybody');

insert into integration.notification_kinds (key, default_channels, description) values
    ('campaign.started', '{in_app}', 'A campaign began to send.'),
    ('campaign.finished', '{in_app,email}', 'A campaign has sent all it had.'),
    ('campaign.auto_paused', '{in_app,email}', 'A campaign paused by itself on bounces or complaints.'),
    ('domain.verified', '{in_app}', 'A domain''s records are all in place.'),
    ('domain.drifted', '{in_app,email}', 'A verified domain''s records have changed.'),
    ('account.unhealthy', '{in_app,email}', 'Bounces or complaints let an email account send less, or nothing.'),
    ('billing.payment_failed', '{in_app,email}', 'A payment was refused.'),
    ('billing.trial_ending', '{in_app,email}', 'A trial is about to end.'),
    ('billing.limit_near', '{in_app}', 'Most of a limit of the plan is used.'),
    ('billing.limit_reached', '{in_app,email}', 'A limit of the plan is used up.'),
    ('member.joined', '{in_app}', 'Somebody accepted an invitation.'),
    ('digest', '{email}', 'The summary of a day or week, or of what would have been too many mails.');

-- Who may use what of notifications and the outbox.

grant select on integration.notification_kinds to lab_app, lab_platform, lab_analytics;
grant insert, update, delete on integration.notification_kinds to lab_platform;

-- The application tells and reads; delivering is the workers' business.
grant select, insert on integration.notifications to lab_app;
grant update (status, read_at) on integration.notifications to lab_app;
grant select, insert, update, delete on integration.notification_preferences to lab_app;
grant insert on integration.outbox to lab_app;

grant select, insert, update, delete
    on integration.notifications, integration.notification_preferences, integration.outbox to lab_platform;
grant select on integration.notifications, integration.notification_preferences to lab_analytics;
grant select, insert, update on integration.purge_receipts to lab_platform;
grant select, insert, update, delete on integration.digest_items to lab_platform;
grant select on integration.digest_items to lab_app, lab_analytics;

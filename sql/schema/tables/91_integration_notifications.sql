-- What goes out: events for other systems, and notifications for users.

create table integration.outbox (
    tenant_id  uuid not null,
    id         uuid not null default public.uuid_generate_v7(),
    topic      text not null,
    payload    jsonb not null default '{}',
    created_at timestamptz not null default now(),
    constraint outbox_pkey primary key (tenant_id, id)
);
comment on table integration.outbox is 'Events that a relay hands to the queue and then deletes. They may outlive their tenant, so there is no foreign key.';
comment on column integration.outbox.tenant_id is 'The tenant it happened to.';
comment on column integration.outbox.id is 'Key of the event; the queue knows by it what it has had.';
comment on column integration.outbox.topic is 'What happened, such as campaign.finished.';
comment on column integration.outbox.payload is 'What the receiver needs.';
comment on column integration.outbox.created_at is 'When it happened.';

create table integration.notification_kinds (
    key              text not null,
    description      text not null,
    default_channels text[] not null,
    constraint notification_kinds_pkey primary key (key),
    constraint notification_kinds_channels_check check (default_channels <@ '{in_app,email}')
);
comment on table integration.notification_kinds is 'What users are told of.';
comment on column integration.notification_kinds.key is 'Name of the kind.';
comment on column integration.notification_kinds.description is 'When it is sent.';
comment on column integration.notification_kinds.default_channels is 'Where it goes unless the user prefers otherwise.';

create table integration.notification_preferences (
    tenant_id  uuid not null,
    user_id    uuid not null,
    kind       text not null,
    channel    text not null,
    enabled    boolean not null,
    updated_at timestamptz not null default now(),
    constraint notification_preferences_pkey primary key (tenant_id, user_id, kind, channel),
    constraint notification_preferences_member_fkey foreign key (tenant_id, user_id)
        references users.tenant_users (tenant_id, user_id) on delete cascade,
    constraint notification_preferences_channel_check check (channel in ('in_app', 'email'))
);
comment on table integration.notification_preferences is 'Where a user wants, or does not want, to hear of what.';
comment on column integration.notification_preferences.tenant_id is 'The tenant.';
comment on column integration.notification_preferences.user_id is 'The user; their preferences end with their membership.';
comment on column integration.notification_preferences.kind is 'Kind of notification; no foreign key to a shared table.';
comment on column integration.notification_preferences.channel is 'in_app or email.';
comment on column integration.notification_preferences.enabled is 'Whether it goes there.';
comment on column integration.notification_preferences.updated_at is 'When it was set.';

create table integration.notifications (
    tenant_id       uuid not null,
    id              uuid not null default public.uuid_generate_v7(),
    user_id         uuid not null,
    kind            text not null,
    channel         text not null,
    payload         jsonb not null default '{}',
    dedupe_key      text,
    status          text not null default 'pending',
    attempts        integer not null default 0,
    next_attempt_at timestamptz,
    last_error      text,
    created_at      timestamptz not null default now(),
    delivered_at    timestamptz,
    read_at         timestamptz,
    change_xid      bigint,
    constraint notifications_pkey primary key (tenant_id, id),
    constraint notifications_once_key unique (tenant_id, user_id, dedupe_key, channel),
    constraint notifications_member_fkey foreign key (tenant_id, user_id)
        references users.tenant_users (tenant_id, user_id) on delete cascade,
    constraint notifications_channel_check check (channel in ('in_app', 'email')),
    constraint notifications_status_check check (status in ('pending', 'failed', 'dead', 'delivered', 'read')),
    constraint notifications_attempts_check check (attempts >= 0),
    constraint notifications_due_check check ((status in ('pending', 'failed')) = (next_attempt_at is not null)),
    constraint notifications_delivered_check check ((status in ('delivered', 'read')) = (delivered_at is not null)),
    constraint notifications_read_check check ((status = 'read') = (read_at is not null)),
    constraint notifications_error_check check (status not in ('failed', 'dead') or last_error is not null)
);
create index notifications_due_idx on integration.notifications (tenant_id, next_attempt_at)
    where next_attempt_at is not null;
comment on index integration.notifications_due_idx is 'integration.claim_notifications: what is due.';
create index notifications_unread_idx on integration.notifications (tenant_id, user_id, created_at)
    where status = 'delivered' and channel = 'in_app';
comment on index integration.notifications_unread_idx is 'integration.unread_notifications: a user''s unread ones, newest first.';
comment on table integration.notifications is 'One message to one user on one channel.';
comment on column integration.notifications.tenant_id is 'The tenant.';
comment on column integration.notifications.id is 'Key of the notification.';
comment on column integration.notifications.user_id is 'Who is told.';
comment on column integration.notifications.kind is 'What of; no foreign key to a shared table.';
comment on column integration.notifications.channel is 'in_app (there once it is written) or email.';
comment on column integration.notifications.payload is 'What the message says.';
comment on column integration.notifications.dedupe_key is 'What it is about; the same user hears of it once on a channel. Null is never a repetition.';
comment on column integration.notifications.status is 'pending, failed (to be tried again), dead (given up), delivered or read.';
comment on column integration.notifications.attempts is 'Deliveries tried.';
comment on column integration.notifications.next_attempt_at is 'When it is to be tried, or tried again; null when it is not.';
comment on column integration.notifications.last_error is 'Why the last attempt failed.';
comment on column integration.notifications.created_at is 'When it was written.';
comment on column integration.notifications.delivered_at is 'When it was delivered.';
comment on column integration.notifications.read_at is 'When the user read it.';
comment on column integration.notifications.change_xid is 'Transaction that last inserted or updated the row.';

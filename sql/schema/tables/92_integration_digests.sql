-- What a digest tells of, instead of a mail for each.

create table integration.digest_items (
    tenant_id  uuid not null,
    user_id    uuid not null,
    event_id   uuid not null,
    digest_id  uuid not null,
    kind       text not null,
    created_at timestamptz not null default now(),
    constraint digest_items_pkey primary key (tenant_id, user_id, event_id),
    constraint digest_items_digest_fkey foreign key (tenant_id, digest_id)
        references integration.notifications (tenant_id, id) on delete cascade
);
create index digest_items_digest_idx on integration.digest_items (tenant_id, digest_id);
comment on index integration.digest_items_digest_idx is 'integration.compose_mails: what a digest tells of; and the foreign key.';
comment on table integration.digest_items is 'Events beyond the mails that a user gets in an hour; a digest tells of them together.';
comment on column integration.digest_items.tenant_id is 'The tenant.';
comment on column integration.digest_items.user_id is 'Who is told.';
comment on column integration.digest_items.event_id is 'The event; a user hears of it once.';
comment on column integration.digest_items.digest_id is 'The notification that tells of it.';
comment on column integration.digest_items.kind is 'What of; no foreign key to a shared table.';
comment on column integration.digest_items.created_at is 'When it was put there.';

create index notifications_mailed_idx on integration.notifications (tenant_id, user_id, created_at)
    where channel = 'email' and kind <> 'digest';
comment on index integration.notifications_mailed_idx is 'integration.fan_out: how many mails a user got lately.';

-- Campaigns, their steps, the leads they reach, and what happened.

create schema campaigns;

create table campaigns.campaigns (
    tenant_id    uuid not null,
    id           uuid not null default public.uuid_generate_v7(),
    name         text not null,
    status       text not null default 'draft',
    time_zone    text not null default 'UTC',
    external_id  text,
    created_by   uuid,
    scheduled_at timestamptz,
    started_at   timestamptz,
    finished_at  timestamptz,
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now(),
    change_xid   bigint,
    constraint campaigns_pkey primary key (tenant_id, id),
    constraint campaigns_external_id_key unique (tenant_id, external_id),
    constraint campaigns_tenant_fkey foreign key (tenant_id) references public.tenants (id),
    constraint campaigns_status_check
        check (status in ('draft', 'scheduled', 'running', 'paused', 'finished', 'cancelled')),
    constraint campaigns_schedule_check check (status <> 'scheduled' or scheduled_at is not null)
);
create index campaigns_status_idx on campaigns.campaigns (tenant_id, status, created_at);
comment on index campaigns.campaigns_status_idx is 'Listing a tenant''s campaigns by status.';
comment on table campaigns.campaigns is 'A sequence of mails to a set of leads.';
comment on column campaigns.campaigns.tenant_id is 'The tenant.';
comment on column campaigns.campaigns.id is 'Key of the campaign.';
comment on column campaigns.campaigns.name is 'Name the tenant gave it.';
comment on column campaigns.campaigns.status is 'draft, scheduled, running, paused, finished or cancelled.';
comment on column campaigns.campaigns.time_zone is 'IANA time zone that send windows are read in.';
comment on column campaigns.campaigns.external_id is 'Reference of whoever made it; load runs write load:RUN.';
comment on column campaigns.campaigns.created_by is 'User who made it; no foreign key to a shared table.';
comment on column campaigns.campaigns.scheduled_at is 'When it is to start.';
comment on column campaigns.campaigns.started_at is 'When it first ran.';
comment on column campaigns.campaigns.finished_at is 'When it finished or was cancelled.';
comment on column campaigns.campaigns.created_at is 'When it was created.';
comment on column campaigns.campaigns.updated_at is 'When it last changed.';
comment on column campaigns.campaigns.change_xid is 'Transaction that last inserted or updated the row.';

create table campaigns.steps (
    tenant_id   uuid not null,
    id          uuid not null default public.uuid_generate_v7(),
    campaign_id uuid not null,
    position    integer not null,
    subject     text not null,
    delay       interval not null default '0',
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    change_xid  bigint,
    constraint steps_pkey primary key (tenant_id, id),
    constraint steps_position_key unique (tenant_id, campaign_id, position),
    constraint steps_campaign_fkey foreign key (tenant_id, campaign_id)
        references campaigns.campaigns (tenant_id, id),
    constraint steps_position_check check (position > 0),
    constraint steps_delay_check check (delay >= '0')
);
comment on table campaigns.steps is 'The mails of a campaign, in order.';
comment on column campaigns.steps.tenant_id is 'The tenant.';
comment on column campaigns.steps.id is 'Key of the step.';
comment on column campaigns.steps.campaign_id is 'The campaign it belongs to.';
comment on column campaigns.steps.position is 'Place in the sequence, from 1.';
comment on column campaigns.steps.subject is 'Subject line.';
comment on column campaigns.steps.delay is 'Wait after the step before it (after enrollment for the first).';
comment on column campaigns.steps.created_at is 'When it was created.';
comment on column campaigns.steps.updated_at is 'When it last changed.';
comment on column campaigns.steps.change_xid is 'Transaction that last inserted or updated the row.';

create table campaigns.leads (
    tenant_id     uuid not null,
    id            uuid not null default public.uuid_generate_v7(),
    email         text not null,
    email_norm    text not null generated always as (lower(email)) stored,
    first_name    text,
    last_name     text,
    status        text not null default 'new',
    custom_fields jsonb not null default '{}',
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    change_xid    bigint,
    constraint leads_pkey primary key (tenant_id, id),
    constraint leads_email_norm_key unique (tenant_id, email_norm),
    constraint leads_tenant_fkey foreign key (tenant_id) references public.tenants (id),
    constraint leads_status_check
        check (status in ('new', 'contacted', 'engaged', 'replied', 'unsubscribed', 'bounced', 'complained'))
);
create index leads_status_idx on campaigns.leads (tenant_id, status, created_at);
comment on index campaigns.leads_status_idx is 'Listing a tenant''s leads by status, newest first.';
comment on table campaigns.leads is 'People a tenant writes to.';
comment on column campaigns.leads.tenant_id is 'The tenant.';
comment on column campaigns.leads.id is 'Key of the lead.';
comment on column campaigns.leads.email is 'Address as it was given.';
comment on column campaigns.leads.email_norm is 'Address in lower case; what look-ups compare, since lower() itself is not leakproof.';
comment on column campaigns.leads.first_name is 'Given name.';
comment on column campaigns.leads.last_name is 'Family name.';
comment on column campaigns.leads.status is 'Contact lifecycle: new, contacted, engaged, replied, unsubscribed, bounced or complained.';
comment on column campaigns.leads.custom_fields is 'What else the tenant knows of the lead.';
comment on column campaigns.leads.created_at is 'When it was imported.';
comment on column campaigns.leads.updated_at is 'When it last changed.';
comment on column campaigns.leads.change_xid is 'Transaction that last inserted or updated the row.';

create table campaigns.enrollments (
    tenant_id   uuid not null,
    id          uuid not null default public.uuid_generate_v7(),
    campaign_id uuid not null,
    lead_id     uuid not null,
    status      text not null default 'active',
    position    integer not null default 0,
    due_at      timestamptz,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    change_xid  bigint,
    constraint enrollments_pkey primary key (tenant_id, id),
    constraint enrollments_lead_key unique (tenant_id, campaign_id, lead_id),
    constraint enrollments_campaign_fkey foreign key (tenant_id, campaign_id)
        references campaigns.campaigns (tenant_id, id),
    constraint enrollments_lead_fkey foreign key (tenant_id, lead_id)
        references campaigns.leads (tenant_id, id),
    constraint enrollments_status_check check (status in ('active', 'completed', 'stopped')),
    constraint enrollments_position_check check (position >= 0),
    constraint enrollments_due_check check ((status = 'active') = (due_at is not null))
) with (fillfactor = 90);
create index enrollments_lead_idx on campaigns.enrollments (tenant_id, lead_id);
comment on index campaigns.enrollments_lead_idx is 'A lead''s enrollments, and the foreign key to leads.';
create index enrollments_due_idx on campaigns.enrollments (tenant_id, due_at) where status = 'active';
comment on index campaigns.enrollments_due_idx is 'Claiming what is due.';
comment on table campaigns.enrollments is 'A lead on its way through a campaign.';
comment on column campaigns.enrollments.tenant_id is 'The tenant.';
comment on column campaigns.enrollments.id is 'Key of the enrollment.';
comment on column campaigns.enrollments.campaign_id is 'The campaign.';
comment on column campaigns.enrollments.lead_id is 'The lead; at most once in a campaign.';
comment on column campaigns.enrollments.status is 'active, completed (all steps done) or stopped (unsubscribed, bounced, complained, replied).';
comment on column campaigns.enrollments.position is 'Position of the last step that was executed; 0 before the first.';
comment on column campaigns.enrollments.due_at is 'When the next step is due; null unless active.';
comment on column campaigns.enrollments.created_at is 'When the lead was enrolled.';
comment on column campaigns.enrollments.updated_at is 'When it last changed.';
comment on column campaigns.enrollments.change_xid is 'Transaction that last inserted or updated the row.';

create table campaigns.step_executions (
    tenant_id     uuid not null,
    id            uuid not null default public.uuid_generate_v7(),
    enrollment_id uuid not null,
    step_id       uuid not null,
    rotation      integer not null default 1,
    status        text not null,
    skip_reason   text,
    due_at        timestamptz not null,
    executed_at   timestamptz not null default now(),
    change_xid    bigint,
    constraint step_executions_pkey primary key (tenant_id, id),
    constraint step_executions_once_key unique (tenant_id, enrollment_id, step_id, rotation),
    constraint step_executions_enrollment_fkey foreign key (tenant_id, enrollment_id)
        references campaigns.enrollments (tenant_id, id),
    constraint step_executions_step_fkey foreign key (tenant_id, step_id)
        references campaigns.steps (tenant_id, id),
    constraint step_executions_status_check check (status in ('sent', 'skipped', 'failed')),
    constraint step_executions_skip_check check ((status = 'skipped') = (skip_reason is not null)),
    constraint step_executions_rotation_check check (rotation > 0)
);
create index step_executions_step_idx on campaigns.step_executions (tenant_id, step_id);
comment on index campaigns.step_executions_step_idx is 'Executions of one step, and the foreign key to steps.';
comment on table campaigns.step_executions is 'What was done for one enrollment at one step; the unique key is what stops a double send.';
comment on column campaigns.step_executions.tenant_id is 'The tenant.';
comment on column campaigns.step_executions.id is 'Key of the execution.';
comment on column campaigns.step_executions.enrollment_id is 'Whose step it was.';
comment on column campaigns.step_executions.step_id is 'Which step.';
comment on column campaigns.step_executions.rotation is 'Pass through the campaign, from 1.';
comment on column campaigns.step_executions.status is 'sent, skipped or failed.';
comment on column campaigns.step_executions.skip_reason is 'Why it was skipped; null otherwise.';
comment on column campaigns.step_executions.due_at is 'When it was due.';
comment on column campaigns.step_executions.executed_at is 'When it was done.';
comment on column campaigns.step_executions.change_xid is 'Transaction that last inserted or updated the row.';

create table campaigns.events (
    tenant_id   uuid not null,
    id          uuid not null default public.uuid_generate_v7(),
    campaign_id uuid not null,
    lead_id     uuid not null,
    step_id     uuid not null,
    kind        text not null,
    occurred_at timestamptz not null default now(),
    change_xid  bigint,
    constraint events_pkey primary key (tenant_id, id),
    constraint events_enrollment_fkey foreign key (tenant_id, campaign_id, lead_id)
        references campaigns.enrollments (tenant_id, campaign_id, lead_id),
    constraint events_step_fkey foreign key (tenant_id, step_id)
        references campaigns.steps (tenant_id, id),
    constraint events_kind_check check (kind in
        ('sent', 'delivered', 'opened', 'clicked', 'replied', 'bounced', 'complained', 'unsubscribed'))
);
create index events_campaign_idx on campaigns.events (tenant_id, campaign_id, lead_id);
comment on index campaigns.events_campaign_idx is 'The campaign report, and the foreign key to enrollments.';
create index events_lead_idx on campaigns.events (tenant_id, lead_id, occurred_at);
comment on index campaigns.events_lead_idx is 'The history of one lead.';
create index events_step_idx on campaigns.events (tenant_id, step_id);
comment on index campaigns.events_step_idx is 'Counting per step, and the foreign key to steps.';
comment on table campaigns.events is 'What happened to a mail, as it is reported; never updated.';
comment on column campaigns.events.tenant_id is 'The tenant.';
comment on column campaigns.events.id is 'Key of the event.';
comment on column campaigns.events.campaign_id is 'The campaign.';
comment on column campaigns.events.lead_id is 'The lead; enrolled in the campaign.';
comment on column campaigns.events.step_id is 'The step whose mail it was.';
comment on column campaigns.events.kind is 'sent, delivered, opened, clicked, replied, bounced, complained or unsubscribed.';
comment on column campaigns.events.occurred_at is 'When it happened.';
comment on column campaigns.events.change_xid is 'Transaction that last inserted or updated the row.';

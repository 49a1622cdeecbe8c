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
    window_start time not null default '08:00',
    window_end   time not null default '18:00',
    window_days  smallint[] not null default '{1,2,3,4,5}',
    daily_cap    integer,
    pause_reason text,
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
    constraint campaigns_schedule_check check (status <> 'scheduled' or scheduled_at is not null),
    constraint campaigns_window_check check (window_start < window_end),
    constraint campaigns_window_days_check
        check (window_days <@ '{1,2,3,4,5,6,7}'::smallint[] and cardinality(window_days) > 0),
    constraint campaigns_daily_cap_check check (daily_cap > 0)
);
create index campaigns_status_idx on campaigns.campaigns (tenant_id, status, created_at, id);
comment on index campaigns.campaigns_status_idx is 'list_campaigns.';
create index campaigns_scheduled_idx on campaigns.campaigns (scheduled_at) where status = 'scheduled';
comment on index campaigns.campaigns_scheduled_idx is 'start_scheduled_campaigns.';
comment on table campaigns.campaigns is 'A sequence of mails to a set of leads.';
comment on column campaigns.campaigns.tenant_id is 'The tenant.';
comment on column campaigns.campaigns.id is 'Key of the campaign.';
comment on column campaigns.campaigns.name is 'Name the tenant gave it.';
comment on column campaigns.campaigns.status is 'draft, scheduled, running, paused, finished or cancelled.';
comment on column campaigns.campaigns.time_zone is 'IANA time zone that send windows are read in.';
comment on column campaigns.campaigns.external_id is 'Reference of whoever made it; load runs write load:RUN.';
comment on column campaigns.campaigns.created_by is 'User who made it; no foreign key to a shared table.';
comment on column campaigns.campaigns.window_start is 'Local time from which mails may be sent.';
comment on column campaigns.campaigns.window_end is 'Local time until which mails may be sent.';
comment on column campaigns.campaigns.window_days is 'ISO days of the week (1 is Monday) on which mails may be sent.';
comment on column campaigns.campaigns.daily_cap is 'Most mails a day (UTC); null is no cap.';
comment on column campaigns.campaigns.pause_reason is 'Why it is paused: a person''s words, bounces or complaints; of a draft, why it could not start.';
comment on column campaigns.campaigns.scheduled_at is 'When it is to start.';
comment on column campaigns.campaigns.started_at is 'When it first ran.';
comment on column campaigns.campaigns.finished_at is 'When it finished or was cancelled.';
comment on column campaigns.campaigns.created_at is 'When it was created.';
comment on column campaigns.campaigns.updated_at is 'When it last changed.';
comment on column campaigns.campaigns.change_xid is 'Transaction that last inserted or updated the row.';

create table campaigns.template_folders (
    tenant_id  uuid not null,
    id         uuid not null default public.uuid_generate_v7(),
    parent_id  uuid,
    name       text not null,
    created_at timestamptz not null default now(),
    constraint template_folders_pkey primary key (tenant_id, id),
    constraint template_folders_name_key unique nulls not distinct (tenant_id, parent_id, name),
    constraint template_folders_tenant_fkey foreign key (tenant_id) references public.tenants (id),
    constraint template_folders_parent_fkey foreign key (tenant_id, parent_id)
        references campaigns.template_folders (tenant_id, id)
);
comment on table campaigns.template_folders is 'Folders that a tenant keeps its templates in.';
comment on column campaigns.template_folders.tenant_id is 'The tenant.';
comment on column campaigns.template_folders.id is 'Key of the folder.';
comment on column campaigns.template_folders.parent_id is 'The folder it lies in; null at the top.';
comment on column campaigns.template_folders.name is 'Name, unique in its folder.';
comment on column campaigns.template_folders.created_at is 'When it was made.';

create table campaigns.templates (
    tenant_id  uuid not null,
    id         uuid not null default public.uuid_generate_v7(),
    folder_id  uuid,
    name       text not null,
    status     text not null default 'draft',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    change_xid bigint,
    constraint templates_pkey primary key (tenant_id, id),
    constraint templates_tenant_fkey foreign key (tenant_id) references public.tenants (id),
    constraint templates_folder_fkey foreign key (tenant_id, folder_id)
        references campaigns.template_folders (tenant_id, id),
    constraint templates_status_check check (status in ('draft', 'active', 'archived'))
);
create index templates_folder_idx on campaigns.templates (tenant_id, folder_id, name);
comment on index campaigns.templates_folder_idx is 'The templates of a folder, and the foreign key to folders.';
comment on table campaigns.templates is 'Mails to send; what they say is in their versions, and the content itself elsewhere.';
comment on column campaigns.templates.tenant_id is 'The tenant.';
comment on column campaigns.templates.id is 'Key of the template.';
comment on column campaigns.templates.folder_id is 'The folder it lies in; null at the top.';
comment on column campaigns.templates.name is 'Name.';
comment on column campaigns.templates.status is 'draft, active or archived.';
comment on column campaigns.templates.created_at is 'When it was made.';
comment on column campaigns.templates.updated_at is 'When it last changed.';
comment on column campaigns.templates.change_xid is 'Transaction that last inserted or updated the row.';

create table campaigns.template_versions (
    tenant_id   uuid not null,
    id          uuid not null default public.uuid_generate_v7(),
    template_id uuid not null,
    version     integer not null,
    subject     text not null,
    storage_key text not null,
    created_by  uuid,
    created_at  timestamptz not null default now(),
    change_xid  bigint,
    constraint template_versions_pkey primary key (tenant_id, id),
    constraint template_versions_version_key unique (tenant_id, template_id, version),
    constraint template_versions_template_fkey foreign key (tenant_id, template_id)
        references campaigns.templates (tenant_id, id),
    constraint template_versions_version_check check (version > 0)
);
comment on table campaigns.template_versions is 'Each saved state of a template; never changed, the highest is the current one.';
comment on column campaigns.template_versions.tenant_id is 'The tenant.';
comment on column campaigns.template_versions.id is 'Key of the version.';
comment on column campaigns.template_versions.template_id is 'The template.';
comment on column campaigns.template_versions.version is 'Number of the version, from 1.';
comment on column campaigns.template_versions.subject is 'Subject line.';
comment on column campaigns.template_versions.storage_key is 'Where the content database keeps the body.';
comment on column campaigns.template_versions.created_by is 'User who saved it; no foreign key to a shared table.';
comment on column campaigns.template_versions.created_at is 'When it was saved.';
comment on column campaigns.template_versions.change_xid is 'Transaction that last inserted or updated the row.';

create index template_versions_storage_key_idx on campaigns.template_versions (tenant_id, storage_key);
comment on index campaigns.template_versions_storage_key_idx is 'condemn_contents: who refers to content.';

create table campaigns.contents (
    tenant_id   uuid not null,
    storage_key text not null,
    status      text not null default 'claimed',
    changed_at  timestamptz,
    constraint contents_pkey primary key (tenant_id, storage_key),
    constraint contents_tenant_fkey foreign key (tenant_id) references public.tenants (id),
    constraint contents_status_check check (status in ('claimed', 'condemned', 'missing'))
);
comment on table campaigns.contents is 'What may be said of content that lies elsewhere. Its rows order who refers to content and who removes it, which no transaction spans.';
comment on column campaigns.contents.tenant_id is 'The tenant.';
comment on column campaigns.contents.storage_key is 'Where the content database keeps, or kept, the body.';
comment on column campaigns.contents.status is 'claimed (versions may refer to it), condemned (none ever may) or missing (it was lost there: no campaign starts with it).';
comment on column campaigns.contents.changed_at is 'When it was condemned or found missing.';

create table campaigns.template_tags (
    tenant_id   uuid not null,
    template_id uuid not null,
    tag         text not null,
    constraint template_tags_pkey primary key (tenant_id, template_id, tag),
    constraint template_tags_template_fkey foreign key (tenant_id, template_id)
        references campaigns.templates (tenant_id, id)
);
comment on table campaigns.template_tags is 'Words that a tenant finds its templates by.';
comment on column campaigns.template_tags.tenant_id is 'The tenant.';
comment on column campaigns.template_tags.template_id is 'The template.';
comment on column campaigns.template_tags.tag is 'The word.';

create table campaigns.steps (
    tenant_id   uuid not null,
    id          uuid not null default public.uuid_generate_v7(),
    campaign_id uuid not null,
    position    integer not null,
    kind        text not null default 'action',
    parent_id   uuid,
    branch      text not null default 'next',
    template_id uuid,
    delay       interval not null default '0',
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    change_xid  bigint,
    constraint steps_pkey primary key (tenant_id, id),
    constraint steps_position_key unique (tenant_id, campaign_id, position),
    constraint steps_campaign_fkey foreign key (tenant_id, campaign_id)
        references campaigns.campaigns (tenant_id, id),
    constraint steps_parent_fkey foreign key (tenant_id, parent_id) references campaigns.steps (tenant_id, id),
    constraint steps_template_fkey foreign key (tenant_id, template_id)
        references campaigns.templates (tenant_id, id),
    -- One step follows on each branch, and one step has no parent: the first.
    constraint steps_branch_key unique nulls not distinct (tenant_id, campaign_id, parent_id, branch),
    constraint steps_kind_check check (kind in ('action', 'condition', 'wait')),
    constraint steps_branch_check check (branch in ('next', 'yes', 'no')),
    constraint steps_template_check check (kind = 'action' or template_id is null),
    constraint steps_first_check check (parent_id is not null or branch = 'next'),
    constraint steps_position_check check (position > 0),
    constraint steps_delay_check check (delay >= '0')
);
create index steps_parent_idx on campaigns.steps (tenant_id, parent_id, branch);
comment on index campaigns.steps_parent_idx is 'advance finds the step that follows; the foreign key to the parent.';
create index steps_template_idx on campaigns.steps (tenant_id, template_id);
comment on index campaigns.steps_template_idx is 'set_template_status; the foreign key to templates.';
comment on table campaigns.steps is 'What a campaign does, as a tree: a condition goes on with its yes or its no.';
comment on column campaigns.steps.tenant_id is 'The tenant.';
comment on column campaigns.steps.id is 'Key of the step.';
comment on column campaigns.steps.campaign_id is 'The campaign it belongs to.';
comment on column campaigns.steps.position is 'Place in the order in which people read the tree, from 1.';
comment on column campaigns.steps.kind is 'action (sends a mail), condition (branches) or wait.';
comment on column campaigns.steps.parent_id is 'The step before it; null for the first.';
comment on column campaigns.steps.branch is 'Where it hangs on its parent: next, or yes or no of a condition.';
comment on column campaigns.steps.template_id is 'The template that an action sends, in its newest version; a draft may lack it.';
comment on column campaigns.steps.delay is 'Wait after the step before it (after enrollment for the first).';
comment on column campaigns.steps.created_at is 'When it was created.';
comment on column campaigns.steps.updated_at is 'When it last changed.';
comment on column campaigns.steps.change_xid is 'Transaction that last inserted or updated the row.';

create table campaigns.step_conditions (
    tenant_id   uuid not null,
    id          uuid not null default public.uuid_generate_v7(),
    step_id     uuid not null,
    event_kind  text not null,
    negated     boolean not null default false,
    within_days integer,
    constraint step_conditions_pkey primary key (tenant_id, id),
    constraint step_conditions_step_fkey foreign key (tenant_id, step_id) references campaigns.steps (tenant_id, id),
    constraint step_conditions_kind_check check (event_kind in ('opened', 'clicked', 'replied')),
    constraint step_conditions_within_check check (within_days > 0)
);
create index step_conditions_step_idx on campaigns.step_conditions (tenant_id, step_id);
comment on index campaigns.step_conditions_step_idx is 'conditions_hold and start_campaign; the foreign key to steps.';
comment on table campaigns.step_conditions is 'What a condition step asks; all of its rows must hold.';
comment on column campaigns.step_conditions.tenant_id is 'The tenant.';
comment on column campaigns.step_conditions.id is 'Key of the condition.';
comment on column campaigns.step_conditions.step_id is 'The step of kind condition.';
comment on column campaigns.step_conditions.event_kind is 'opened, clicked or replied (automatic replies do not count).';
comment on column campaigns.step_conditions.negated is 'Whether it must not have happened.';
comment on column campaigns.step_conditions.within_days is 'Only what happened in this many days counts; null is ever.';

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
create index leads_status_idx on campaigns.leads (tenant_id, status, created_at, id);
comment on index campaigns.leads_status_idx is 'list_leads.';
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

create table campaigns.lists (
    tenant_id  uuid not null,
    id         uuid not null default public.uuid_generate_v7(),
    name       text not null,
    created_at timestamptz not null default now(),
    constraint lists_pkey primary key (tenant_id, id),
    constraint lists_name_key unique (tenant_id, name),
    constraint lists_tenant_fkey foreign key (tenant_id) references public.tenants (id)
);
comment on table campaigns.lists is 'Named sets of leads.';
comment on column campaigns.lists.tenant_id is 'The tenant.';
comment on column campaigns.lists.id is 'Key of the list.';
comment on column campaigns.lists.name is 'Name, unique in the tenant.';
comment on column campaigns.lists.created_at is 'When it was made.';

create table campaigns.list_leads (
    tenant_id uuid not null,
    list_id   uuid not null,
    lead_id   uuid not null,
    added_at  timestamptz not null default now(),
    constraint list_leads_pkey primary key (tenant_id, list_id, lead_id),
    constraint list_leads_list_fkey foreign key (tenant_id, list_id) references campaigns.lists (tenant_id, id),
    constraint list_leads_lead_fkey foreign key (tenant_id, lead_id) references campaigns.leads (tenant_id, id)
);
create index list_leads_lead_idx on campaigns.list_leads (tenant_id, lead_id);
comment on index campaigns.list_leads_lead_idx is 'erase_lead; the lists of a lead, and the foreign key to leads.';
comment on table campaigns.list_leads is 'Which leads are on which list.';
comment on column campaigns.list_leads.tenant_id is 'The tenant.';
comment on column campaigns.list_leads.list_id is 'The list.';
comment on column campaigns.list_leads.lead_id is 'The lead.';
comment on column campaigns.list_leads.added_at is 'When the lead was put on it.';

create table campaigns.suppressions (
    tenant_id  uuid not null,
    id         uuid not null default public.uuid_generate_v7(),
    email_norm text not null,
    reason     text not null,
    expires_at timestamptz,
    created_at timestamptz not null default now(),
    change_xid bigint,
    constraint suppressions_pkey primary key (tenant_id, id),
    constraint suppressions_email_norm_key unique (tenant_id, email_norm),
    constraint suppressions_tenant_fkey foreign key (tenant_id) references public.tenants (id),
    constraint suppressions_reason_check check (reason in ('unsubscribed', 'bounced', 'complained', 'manual'))
);
create index suppressions_expiry_idx on campaigns.suppressions (expires_at) where expires_at is not null;
comment on index campaigns.suppressions_expiry_idx is 'expire_suppressions.';
comment on table campaigns.suppressions is 'Addresses that a tenant must not write to, leads or not.';
comment on column campaigns.suppressions.tenant_id is 'The tenant.';
comment on column campaigns.suppressions.id is 'Key of the suppression.';
comment on column campaigns.suppressions.email_norm is 'Address in lower case.';
comment on column campaigns.suppressions.reason is 'unsubscribed, bounced, complained or manual.';
comment on column campaigns.suppressions.expires_at is 'When it ends; null is never.';
comment on column campaigns.suppressions.created_at is 'When it began.';
comment on column campaigns.suppressions.change_xid is 'Transaction that last inserted or updated the row.';

create table campaigns.enrollments (
    tenant_id      uuid not null,
    id             uuid not null default public.uuid_generate_v7(),
    campaign_id    uuid not null,
    lead_id        uuid not null,
    status         text not null default 'active',
    stop_reason    text,
    step_id        uuid,
    rotation       integer not null default 1,
    due_at         timestamptz,
    claimed_until  timestamptz,
    deferred_for   text,
    deferred_since timestamptz,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now(),
    change_xid     bigint,
    constraint enrollments_pkey primary key (tenant_id, id),
    constraint enrollments_lead_key unique (tenant_id, campaign_id, lead_id),
    constraint enrollments_campaign_fkey foreign key (tenant_id, campaign_id)
        references campaigns.campaigns (tenant_id, id),
    constraint enrollments_lead_fkey foreign key (tenant_id, lead_id)
        references campaigns.leads (tenant_id, id),
    constraint enrollments_status_check check (status in ('active', 'completed', 'stopped')),
    constraint enrollments_step_fkey foreign key (tenant_id, step_id) references campaigns.steps (tenant_id, id),
    constraint enrollments_due_check check ((status = 'active') = (due_at is not null)),
    constraint enrollments_step_check check (status <> 'active' or step_id is not null),
    constraint enrollments_stop_check check ((status = 'stopped') = (stop_reason is not null)),
    constraint enrollments_deferred_check check ((deferred_for is null) = (deferred_since is null)),
    constraint enrollments_rotation_check check (rotation > 0)
) with (fillfactor = 50);  -- room on the page for claims, which take neighbours together
create index enrollments_lead_idx on campaigns.enrollments (tenant_id, lead_id);
comment on index campaigns.enrollments_lead_idx is 'stop_enrollments, suppress and erase_lead; the foreign key to leads.';
create index enrollments_due_idx on campaigns.enrollments (tenant_id, due_at) where status = 'active';
comment on index campaigns.enrollments_due_idx is 'claim_due_steps.';
create index enrollments_step_idx on campaigns.enrollments (tenant_id, step_id);
comment on index campaigns.enrollments_step_idx is 'campaign_progress; the foreign key to steps.';
comment on table campaigns.enrollments is 'A lead on its way through a campaign.';
comment on column campaigns.enrollments.tenant_id is 'The tenant.';
comment on column campaigns.enrollments.id is 'Key of the enrollment.';
comment on column campaigns.enrollments.campaign_id is 'The campaign.';
comment on column campaigns.enrollments.lead_id is 'The lead; at most once in a campaign.';
comment on column campaigns.enrollments.status is 'active, completed (a branch was gone to its end) or stopped.';
comment on column campaigns.enrollments.stop_reason is 'Why it was stopped: replied, unsubscribed, bounced, complained, suppressed, or that the campaign ended.';
comment on column campaigns.enrollments.step_id is 'The step that is to be executed next.';
comment on column campaigns.enrollments.rotation is 'Pass through the campaign, from 1.';
comment on column campaigns.enrollments.due_at is 'When that step is due, infinity while its campaign does not run; null unless active.';
comment on column campaigns.enrollments.claimed_until is 'Until when a worker has it to execute that step; null, or past, when none has.';
comment on column campaigns.enrollments.deferred_for is 'Why the step was put off when it last came up; null unless it was.';
comment on column campaigns.enrollments.deferred_since is 'When the step was first put off; three days later a refused send is skipped.';
comment on column campaigns.enrollments.created_at is 'When the lead was enrolled.';
comment on column campaigns.enrollments.updated_at is 'When it last changed.';
comment on column campaigns.enrollments.change_xid is 'Transaction that last inserted or updated the row.';

create table campaigns.step_executions (
    tenant_id           uuid not null,
    id                  uuid not null default public.uuid_generate_v7(),
    enrollment_id       uuid not null,
    step_id             uuid not null,
    rotation            integer not null default 1,
    status              text not null,
    skip_reason         text,
    branch              text not null default 'next',
    template_version_id uuid,
    email_account_id    uuid,
    due_at              timestamptz not null,
    executed_at         timestamptz not null default now(),
    change_xid          bigint,
    constraint step_executions_pkey primary key (tenant_id, id),
    constraint step_executions_once_key unique (tenant_id, enrollment_id, step_id, rotation),
    constraint step_executions_enrollment_fkey foreign key (tenant_id, enrollment_id)
        references campaigns.enrollments (tenant_id, id),
    constraint step_executions_step_fkey foreign key (tenant_id, step_id)
        references campaigns.steps (tenant_id, id),
    constraint step_executions_status_check check (status in ('sent', 'passed', 'skipped')),
    constraint step_executions_skip_check check ((status = 'skipped') = (skip_reason is not null)),
    constraint step_executions_rotation_check check (rotation > 0)
);
create index step_executions_step_idx on campaigns.step_executions (tenant_id, step_id);
comment on index campaigns.step_executions_step_idx is 'campaign_progress; the foreign key to steps.';
comment on table campaigns.step_executions is 'What was done for one enrollment at one step; the unique key is what stops a double send.';
comment on column campaigns.step_executions.tenant_id is 'The tenant.';
comment on column campaigns.step_executions.id is 'Key of the execution.';
comment on column campaigns.step_executions.enrollment_id is 'Whose step it was.';
comment on column campaigns.step_executions.step_id is 'Which step.';
comment on column campaigns.step_executions.rotation is 'Pass through the campaign, from 1.';
comment on column campaigns.step_executions.status is 'sent, passed (a wait or a condition) or skipped.';
comment on column campaigns.step_executions.skip_reason is 'Why it was skipped: suppressed, no_content, or what it was put off for too long; null otherwise.';
comment on column campaigns.step_executions.branch is 'Branch that was taken: next, yes or no.';
comment on column campaigns.step_executions.template_version_id is 'What was sent.';
comment on column campaigns.step_executions.email_account_id is 'Account that it was sent from; no foreign key, since an index on it would serve nobody.';
comment on column campaigns.step_executions.due_at is 'When it was due.';
comment on column campaigns.step_executions.executed_at is 'When it was done.';
comment on column campaigns.step_executions.change_xid is 'Transaction that last inserted or updated the row.';

create table campaigns.events (
    tenant_id        uuid not null,
    id               uuid not null default public.uuid_generate_v7(),
    campaign_id      uuid not null,
    lead_id          uuid not null,
    step_id          uuid not null,
    email_account_id uuid,
    kind             text not null,
    automatic        boolean not null default false,
    occurred_at      timestamptz not null default now(),
    change_xid       bigint,
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
comment on index campaigns.events_lead_idx is 'conditions_hold, erase_lead and the history of one lead.';
create index events_step_idx on campaigns.events (tenant_id, step_id);
comment on index campaigns.events_step_idx is 'Counting per step, and the foreign key to steps.';
comment on table campaigns.events is 'What happened to a mail, as it is reported; never updated.';
comment on column campaigns.events.tenant_id is 'The tenant.';
comment on column campaigns.events.id is 'Key of the event.';
comment on column campaigns.events.campaign_id is 'The campaign.';
comment on column campaigns.events.lead_id is 'The lead; enrolled in the campaign.';
comment on column campaigns.events.step_id is 'The step whose mail it was.';
comment on column campaigns.events.kind is 'sent, delivered, opened, clicked, replied, bounced, complained or unsubscribed.';
comment on column campaigns.events.email_account_id is 'Account that the mail was sent from; no foreign key, as in step_executions.';
comment on column campaigns.events.automatic is 'Whether a machine did it, such as an out-of-office reply.';
comment on column campaigns.events.occurred_at is 'When it happened.';
comment on column campaigns.events.change_xid is 'Transaction that last inserted or updated the row.';

create table campaigns.counters (
    tenant_id   uuid not null,
    campaign_id uuid not null,
    kind        text not null,
    slot        smallint not null,
    total       bigint not null default 0,
    forgotten   bigint not null default 0,
    constraint counters_pkey primary key (tenant_id, campaign_id, kind, slot),
    constraint counters_campaign_fkey foreign key (tenant_id, campaign_id)
        references campaigns.campaigns (tenant_id, id)
) with (fillfactor = 50);
comment on table campaigns.counters is 'Live totals of a campaign by kind of event; the sum over its slots counts.';
comment on column campaigns.counters.tenant_id is 'The tenant.';
comment on column campaigns.counters.campaign_id is 'The campaign.';
comment on column campaigns.counters.kind is 'Kind of event.';
comment on column campaigns.counters.slot is 'One of several rows, so that sessions do not queue for one; what is forgotten has slot -1.';
comment on column campaigns.counters.total is 'Events counted in this slot.';
comment on column campaigns.counters.forgotten is 'Events that were counted and are not kept any more: of an erased lead, or too old.';

create table campaigns.daily_sends (
    tenant_id   uuid not null,
    campaign_id uuid not null,
    day         date not null,
    sent        integer not null,
    constraint daily_sends_pkey primary key (tenant_id, campaign_id, day),
    constraint daily_sends_campaign_fkey foreign key (tenant_id, campaign_id)
        references campaigns.campaigns (tenant_id, id)
) with (fillfactor = 50);
comment on table campaigns.daily_sends is 'Mails of a day of campaigns that have a daily cap.';
comment on column campaigns.daily_sends.tenant_id is 'The tenant.';
comment on column campaigns.daily_sends.campaign_id is 'The campaign.';
comment on column campaigns.daily_sends.day is 'Day (UTC).';
comment on column campaigns.daily_sends.sent is 'Mails sent on that day.';

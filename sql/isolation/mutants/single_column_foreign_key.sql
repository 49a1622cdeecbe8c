-- A foreign key without the tenant: the check sees every tenant's rows.
-- on: campaigns.step_executions
alter table campaigns.steps add constraint steps_id_key unique (id);
alter table campaigns.step_executions
    drop constraint step_executions_step_fkey,
    add constraint step_executions_step_fkey foreign key (step_id) references campaigns.steps (id);

-- Tables of tenancy that name no tenant in a column of that name, and what lab_auth may do: it acts for
-- one user, and in a tenant only as far as that user's roles there go.

create policy tenant on public.tenants for select to lab_app
    using (id = nullif(current_setting('nile.tenant_id', true), '')::uuid);
create policy tenant on users.users for select to lab_app
    using (exists (
        select from users.tenant_users membership
        where membership.tenant_id = nullif(current_setting('nile.tenant_id', true), '')::uuid
          and membership.user_id = users.id));

-- Who a user is, and how they log in, is no tenant's matter.
create policy sign_in on users.users to lab_auth using (true) with check (true);
create policy sign_in on auth.credentials to lab_auth using (true) with check (true);
create policy sign_in on auth.sessions to lab_auth using (true) with check (true);
create policy sign_in on auth.verification_tokens to lab_auth using (true) with check (true);
create policy sign_in on auth.log_in_attempts to lab_auth using (true) with check (true);

-- A user's memberships show while no tenant is in context, or a user in a tenant would see who else
-- they work for. Policies for reading tenant_users ask nothing of tenant_users, so that those for
-- writing it may.
create policy own_memberships on users.tenant_users for select to lab_auth
    using (user_id = nullif(current_setting('nile.user_id', true), '')::uuid and nullif(current_setting('nile.tenant_id', true), '')::uuid is null);
create policy fellow_members on users.tenant_users for select to lab_auth
    using (tenant_id = nullif(current_setting('nile.tenant_id', true), '')::uuid);

create policy own_tenants on public.tenants for select to lab_auth
    using (exists (
        select from users.tenant_users membership
        where membership.tenant_id = tenants.id
          and membership.user_id = nullif(current_setting('nile.user_id', true), '')::uuid));
create policy current_tenant on public.tenants for select to lab_auth using (id = nullif(current_setting('nile.tenant_id', true), '')::uuid);
create policy sign_up on public.tenants for insert to lab_auth with check (status = 'created');
-- Its row may be locked, so that changes of its members take turns, but not changed.
create policy lock_tenant on public.tenants for update to lab_auth using (id = nullif(current_setting('nile.tenant_id', true), '')::uuid) with check (false);

-- Members join as the owner of a new tenant that has nobody, or as they were invited.
create policy found_tenant on users.tenant_users for insert to lab_auth
    with check (
        tenant_id = nullif(current_setting('nile.tenant_id', true), '')::uuid
        and user_id = nullif(current_setting('nile.user_id', true), '')::uuid
        and roles = '{owner}'
        and exists (select from public.tenants t where t.id = tenant_users.tenant_id and t.status = 'created')
        and not exists (select from users.tenant_users other where other.tenant_id = tenant_users.tenant_id));
create policy accept_invite on users.tenant_users for insert to lab_auth
    with check (
        user_id = nullif(current_setting('nile.user_id', true), '')::uuid
        and exists (
            select from auth.invites i
            where i.tenant_id = tenant_users.tenant_id and i.roles = tenant_users.roles
              and i.identifier = (select u.email from users.users u where u.id = tenant_users.user_id)));

-- Owners and admins manage members, admins not the owners. Who is no owner gives themselves no role.
create policy manage_members on users.tenant_users for update to lab_auth
    using (exists (
        select from users.tenant_users acting
        where acting.tenant_id = nullif(current_setting('nile.tenant_id', true), '')::uuid
          and acting.user_id = nullif(current_setting('nile.user_id', true), '')::uuid
          and acting.tenant_id = tenant_users.tenant_id and acting.deleted is null
          and ('owner' = any (acting.roles)
               or 'admin' = any (acting.roles) and not 'owner' = any (tenant_users.roles))))
    with check (exists (
        select from users.tenant_users acting
        where acting.tenant_id = nullif(current_setting('nile.tenant_id', true), '')::uuid
          and acting.user_id = nullif(current_setting('nile.user_id', true), '')::uuid
          and acting.tenant_id = tenant_users.tenant_id and acting.deleted is null
          and ('owner' = any (acting.roles)
               or 'admin' = any (acting.roles) and not 'owner' = any (tenant_users.roles)
                  and (acting.user_id <> tenant_users.user_id or tenant_users.roles <@ acting.roles))));
-- And anybody may leave.
create policy remove_members on users.tenant_users for delete to lab_auth
    using (tenant_id = nullif(current_setting('nile.tenant_id', true), '')::uuid
           and (user_id = nullif(current_setting('nile.user_id', true), '')::uuid
                or exists (
                    select from users.tenant_users acting
                    where acting.tenant_id = nullif(current_setting('nile.tenant_id', true), '')::uuid
                      and acting.user_id = nullif(current_setting('nile.user_id', true), '')::uuid
                      and acting.deleted is null
                      and ('owner' = any (acting.roles)
                           or 'admin' = any (acting.roles) and not 'owner' = any (tenant_users.roles)))));

-- The same for invites. Who is invited sees and uses up their own, while in no tenant.
create policy manage_invites on auth.invites to lab_auth
    using (exists (
        select from users.tenant_users acting
        where acting.tenant_id = nullif(current_setting('nile.tenant_id', true), '')::uuid
          and acting.user_id = nullif(current_setting('nile.user_id', true), '')::uuid
          and acting.tenant_id = invites.tenant_id and acting.deleted is null
          and ('owner' = any (acting.roles)
               or 'admin' = any (acting.roles) and not 'owner' = any (invites.roles))))
    with check (created_by = nullif(current_setting('nile.user_id', true), '')::uuid
        and exists (
            select from users.tenant_users acting
            where acting.tenant_id = nullif(current_setting('nile.tenant_id', true), '')::uuid
              and acting.user_id = nullif(current_setting('nile.user_id', true), '')::uuid
              and acting.tenant_id = invites.tenant_id and acting.deleted is null
              and ('owner' = any (acting.roles)
                   or 'admin' = any (acting.roles) and not 'owner' = any (invites.roles))));
create policy own_invites on auth.invites for select to lab_auth
    using (nullif(current_setting('nile.tenant_id', true), '')::uuid is null
           and identifier = (select u.email from users.users u where u.id = nullif(current_setting('nile.user_id', true), '')::uuid and u.deleted is null));
create policy use_own_invite on auth.invites for delete to lab_auth
    using (nullif(current_setting('nile.tenant_id', true), '')::uuid is null
           and identifier = (select u.email from users.users u where u.id = nullif(current_setting('nile.user_id', true), '')::uuid and u.deleted is null));

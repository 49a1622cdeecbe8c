-- What the service asks. As lab_auth each is a transaction of its own; who asks is always the session's user.

-- name: sign_up
select new_user, new_tenant
from tenancy.sign_up(%(address)s, %(kept)s, null, %(tenant_name)s);

-- name: begin_log_in
select acting_user, password_hash from tenancy.begin_log_in(%(address)s);

-- name: complete_log_in
select tenancy.complete_log_in(%(user)s, %(kept)s, %(token)s, %(renewed)s);

-- name: close_session
select tenancy.close_session(%(token)s);

-- name: begin_change
-- Guesses through a session that was left open are counted as well.
select b.password_hash
from users.users u
cross join lateral tenancy.begin_log_in(u.email) b
where u.id = (select tenancy.require_user(%(token)s));

-- name: change_password
select tenancy.change_password(%(token)s, %(kept)s, %(new)s);

-- name: tenants
select coalesce(jsonb_object_agg(t.name, t.roles), '{}')
from tenancy.list_tenants(tenancy.require_user(%(token)s)) t;

-- name: admit
select lab.current_user_id(), roles
from tenancy.switch_tenant(%(token)s, %(tenant)s) as roles;

-- name: invite
select tenancy.invite(%(tenant)s, tenancy.require_user(%(token)s), %(address)s, %(roles)s, %(secret)s);

-- name: accept_invite
select tenancy.accept_invite(%(secret)s, tenancy.require_user(%(token)s));

-- name: remove_member
select tenancy.remove_member(%(tenant)s, tenancy.require_user(%(token)s), %(member)s);

-- name: enter
-- As lab_app.
select lab.enter_tenant(%(tenant)s, %(user)s);

-- What plain Postgres adds to tenancy.

create index invites_token_idx on auth.invites (token);
comment on index auth.invites_token_idx is 'tenancy.accept_invite finds an invite by its secret.';

-- What plain Postgres adds to tenancy.

create index invites_token_idx on auth.invites (token);
comment on index auth.invites_token_idx is 'tenancy.accept_invite finds an invite by its secret.';

comment on column auth.sessions.session_token is 'Digest of the secret the client shows.';
comment on column auth.invites.token is 'Digest of the secret that was mailed.';
comment on column auth.verification_tokens.token is 'Digest of the secret that was mailed.';

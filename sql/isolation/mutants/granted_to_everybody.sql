-- Whoever can log in may ask.
-- on: auth.credentials
grant select on auth.credentials to public;

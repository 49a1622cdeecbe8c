-- A rule copies what is written.
-- on: infrastructure.domains
create rule copy as on insert to infrastructure.domains do also notify copied;

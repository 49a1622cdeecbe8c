-- A database that the lab did not make: integer tenants, a setting and a role of its own, and two holes.

create table accounts (id int primary key, name text);
create table notes (
    account_id int not null references accounts,
    id         int primary key,  -- a hole: counting tells how many notes there are
    note       text
);
create table bare (account_id int not null, note text);  -- the other: granted, without policies
create table unused (account_id int not null, note text);
insert into accounts values (1, 'a'), (2, 'b');
insert into notes select a, 10 * a + n, 'n' from generate_series(1, 2) as a, generate_series(1, 3) as n;
insert into bare select id, name from accounts;

alter table notes enable row level security;
create policy own on notes using (account_id = nullif(current_setting('app.account', true), '')::int);
alter table unused enable row level security;
create policy own on unused using (account_id = nullif(current_setting('app.account', true), '')::int);

create role theirs_app;
grant select, insert, update, delete on notes, accounts, unused to theirs_app;
grant select on bare to theirs_app;

create role theirs_onlooker login;
grant select on notes to theirs_onlooker;

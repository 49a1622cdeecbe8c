-- A tenant reads who the users of others are.
-- on: users.users
alter policy tenant on users.users using (true);

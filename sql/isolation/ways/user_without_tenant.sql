-- As a user who has entered no tenant.
-- sees: something
-- takes: any
-- needs: a role that acts for users
begin;
{enter_user};
{attack};

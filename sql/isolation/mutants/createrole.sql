-- The application makes roles.
-- on: none
alter role lab_app createrole;
-- undo
alter role lab_app nocreaterole;

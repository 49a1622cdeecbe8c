-- The application reads files of the server, the tables' among them.
-- on: none
grant pg_read_server_files to lab_app;
-- undo
revoke pg_read_server_files from lab_app;

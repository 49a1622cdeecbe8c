-- Having the server say how it executes what a session asks for, statements within functions too.

-- name: on
-- Only a superuser may. Times are not taken: reading the clock at every row would be most of them.
load 'auto_explain';
set auto_explain.log_level = notice;
set auto_explain.log_format = json;
set auto_explain.log_analyze = on;
set auto_explain.log_buffers = on;
set auto_explain.log_timing = off;
set auto_explain.log_nested_statements = on;
set auto_explain.log_parameter_max_length = 0;
set auto_explain.log_min_duration = 0;

-- name: off
set auto_explain.log_min_duration = -1;

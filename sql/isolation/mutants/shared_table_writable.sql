-- A tenant may change the state machines of all.
-- on: none
grant insert on lab.transitions to lab_app;

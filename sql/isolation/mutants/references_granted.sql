-- REFERENCES lets a foreign key of one's own ask for rows that one cannot see.
-- on: campaigns.leads
grant references on campaigns.leads to lab_app;

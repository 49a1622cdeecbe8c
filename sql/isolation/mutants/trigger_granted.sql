-- TRIGGER lets one see every row that others write.
-- on: campaigns.leads
grant trigger on campaigns.leads to lab_app;

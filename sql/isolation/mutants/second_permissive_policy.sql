-- A second policy for support staff; permissive policies add up.
-- on: campaigns.enrollments
create policy support on campaigns.enrollments for select to lab_app using (true);

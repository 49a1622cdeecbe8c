-- What each tenant's mail cost in the last quarter of the sample data.
select * from infrastructure.tenant_costs('2025-10-01', '2026-01-01');

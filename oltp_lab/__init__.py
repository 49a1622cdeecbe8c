"""A laboratory for how a multi-tenant SaaS database behaves, on real PostgreSQL."""

"""The stage that mirrors the OLTP database into DuckDB without loss, and builds marts from it."""

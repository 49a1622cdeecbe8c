"""Covert channels: what a tenant can tell of others without seeing a row."""

"""Flags and settings as the application asks for them, against a bare look-up by primary key."""

from typing import Any

import psycopg
from psycopg.sql import Literal

from oltp_lab import servers, settings
from oltp_lab.sample_data import load
from oltp_lab.schema import build
from oltp_lab.servers import Database
from oltp_lab_tests.benchmarks import _turns

# The tenant that changed the most settings, what it asks by, and what it asks for.
_SUBJECT = """
select t.tenant_id::text, t.keys,
       (select array_agg(m.user_id::text order by m.user_id) from users.tenant_users m
        where m.tenant_id = t.tenant_id and m.deleted is null),
       (select array_agg(f.key order by f.key) from configuration.feature_flags f),
       (select array_agg(s.key order by s.key) from configuration.settings s)
from (
    select tenant_id, array_agg(setting_key order by setting_key) as keys
    from configuration.tenant_settings group by tenant_id
    order by count(*) desc, tenant_id limit 1
) as t
"""
_CALLS = {
    _turns.BARE: "select value from configuration.tenant_settings"
    " where tenant_id = {tenant} and setting_key = ({changed})[:changed] and {user} is not null",
    "flag_enabled": "select configuration.flag_enabled({tenant}, {user}, ({flags})[:flag])",
    "resolve_setting": "select configuration.resolve_setting({tenant}, {user}, ({keys})[:key])",
}


def measure_lookups() -> list[dict[str, Any]]:
    """Calls per second over all flags, or settings, and all users of a tenant."""
    current = settings.load()
    database = servers.oltp(current)
    build.ensure(database)
    load.ensure(database, current.scale, seed=1)
    tenant, scripts = _scripts(database)
    return _turns.measure(database, tenant, scripts, goal=0.5)


def _scripts(database: Database) -> tuple[str, dict[str, str]]:
    """The tenant, and a pgbench script for each call."""
    with database.connect("lab_platform") as connection:
        row = connection.execute(_SUBJECT).fetchone()
        assert row, "the sample data has settings"
        tenant, changed, users, flags, keys = row
        words = {
            "tenant": f"'{tenant}'::uuid",
            "user": f"({_array(connection, users)}::uuid[])[:user]",
            "changed": _array(connection, changed),
            "flags": _array(connection, flags),
            "keys": _array(connection, keys),
        }
    counts = {"changed": changed, "user": users, "flag": flags, "key": keys}
    sets = "".join(f"\\set {name} random(1, {len(values)})\n" for name, values in counts.items())
    return tenant, {arm: f"{sets}{call.format(**words)};\n" for arm, call in _CALLS.items()}


def _array(connection: psycopg.Connection, values: list[str]) -> str:
    return f"array[{', '.join(Literal(v).as_string(connection) for v in values)}]"

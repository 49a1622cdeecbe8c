"""Flags and settings as the application asks for them, against a bare look-up by primary key.

All are prepared statements of lab_app in a tenant's context, each a transaction of its own, by one
session of pgbench: what is measured is what a client waits for. The arms take turns, and a ratio is
the median of the turns' ratios.
"""

import os
import re
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psycopg
from psycopg.sql import Literal

from oltp_lab import servers, settings
from oltp_lab.sample_data import load
from oltp_lab.schema import build
from oltp_lab.servers import Database

GOAL = 0.5
_LIMIT_S = 60

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
    "bare": "select value from configuration.tenant_settings"
    " where tenant_id = {tenant} and setting_key = ({changed})[:changed] and {user} is not null",
    "flag_enabled": "select configuration.flag_enabled({tenant}, {user}, ({flags})[:flag])",
    "resolve_setting": "select configuration.resolve_setting({tenant}, {user}, ({keys})[:key])",
}


def measure_lookups(rounds: int = 7, seconds: int = 2) -> list[dict[str, Any]]:
    """Calls per second over all flags, or settings, and all users of a tenant."""
    current = settings.load()
    database = servers.oltp(current)
    build.ensure(database)
    load.ensure(database, current.scale, seed=1)
    with tempfile.TemporaryDirectory(dir=current.home) as folder:
        tenant, scripts = _scripts(database, Path(folder))
        turns = [
            {arm: _rate(database, tenant, script, seconds) for arm, script in scripts.items()}
            for _ in range(rounds)
        ]
    return [
        {
            "name": f"{arm} ({current.scale}), calls/s",
            "ours": round(statistics.median(turn[arm] for turn in turns)),
            "reference": round(statistics.median(turn["bare"] for turn in turns)),
            "ratio": statistics.median(turn[arm] / turn["bare"] for turn in turns),
            "goal": f">= {GOAL}",
            "detail": "; ".join(f"{turn[arm]:.0f} against {turn['bare']:.0f}" for turn in turns),
        }
        for arm in scripts
        if arm != "bare"
    ]


def _scripts(database: Database, folder: Path) -> tuple[str, dict[str, Path]]:
    """The tenant, and a pgbench script for each arm."""
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
    sets = [f"\\set {name} random(1, {len(values)})" for name, values in counts.items()]
    scripts = {}
    for arm, call in _CALLS.items():
        scripts[arm] = folder / f"{arm}.sql"
        scripts[arm].write_text("\n".join([*sets, call.format(**words) + ";\n"]), "utf-8")
    return tenant, scripts


def _array(connection: psycopg.Connection, values: list[str]) -> str:
    return f"array[{', '.join(Literal(v).as_string(connection) for v in values)}]"


def _rate(database: Database, tenant: str, script: Path, seconds: int) -> float:
    """Transactions per second of one session."""
    command = [str(servers.binary("pgbench")), "--no-vacuum", "--protocol=prepared"]
    command += [f"--time={seconds}", f"--file={script}", "--exit-on-abort"]
    environment = {**os.environ, **database.environment("lab_app"), "LC_ALL": "C"}
    environment["PGOPTIONS"] = f"-c nile.tenant_id={tenant}"
    ran = subprocess.run(
        command, env=environment, timeout=_LIMIT_S, check=True, capture_output=True, text=True
    )
    (found,) = re.findall(r"^tps = ([\d.]+)", ran.stdout, re.MULTILINE)
    return float(found)

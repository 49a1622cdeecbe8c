"""The lab's own DNS: zones made of the sample data's domains, the server that has them, the oracle.

Which case each record was made by, and what it therefore deserves, is in temporary tables of one
session; sql/neighbours/dns/world.sql has the cases.
"""

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import dns.resolver
import psycopg
from psycopg.rows import dict_row

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.neighbours import services
from oltp_lab.servers import Database
from oltp_lab.settings import Settings

TABLES = (
    "public.tenants",
    "infrastructure.domains",
    "infrastructure.verified_domains",
    "infrastructure.dns_records",
)
"""What the zones are made of."""

_RELOAD_LIMIT_S = 20
_MADE_IN_ORDER = (
    "cases", "dealt", "claimants", "claimed_domains", "claimed_records", "claimed_made",
)  # fmt: skip


class World:
    """The cases of a database's domains; made anew, it deals them by ``seed``."""

    def __init__(self, session: psycopg.Connection, *, seed: int, at: datetime) -> None:
        self.session = session
        for name in _MADE_IN_ORDER:
            session.execute(_query(name), {"seed": seed, "at": at})

    def zone(self, phase: int) -> list[tuple[str, str, str]]:
        """Name, type and value of every record of a phase, 1 or 2."""
        return self.session.execute(_query("zone"), {"phase": phase}).fetchall()

    def rows(self, name: str, **values: Any) -> list[dict[str, Any]]:
        """What one of the named queries finds."""
        with self.session.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(_query(name), values).fetchall()


@contextmanager
def made(database: Database, *, seed: int, at: datetime) -> Iterator[World]:
    """The world of a copy of the lab's domains, in a session of its own."""
    with database.connect("lab_platform", autocommit=True) as session:
        yield World(session, seed=seed, at=at)


class Server:
    """A running DNS server, and how its zones are replaced."""

    def __init__(self, path: Path, process: subprocess.Popen[str], port: int) -> None:
        self.path, self.process, self.port = path, process, port
        self.serial = 1

    def publish(self, rows: list[tuple[str, str, str]]) -> None:
        """Replace all zones. Raises LabError when the server does not show them."""
        self.serial += 1
        _write(self.path, self.serial, rows)
        os.kill(self.process.pid, signal.SIGHUP)
        asked = dns.resolver.Resolver(configure=False)
        asked.nameservers, asked.port, asked.lifetime = [services.HOST], self.port, _RELOAD_LIMIT_S
        ended = time.monotonic() + _RELOAD_LIMIT_S
        while time.monotonic() < ended:
            answer: Any = asked.resolve(".", "SOA")
            if answer[0].serial == self.serial:
                return
            time.sleep(0.01)
        raise LabError(f"the DNS server has not read its zones within {_RELOAD_LIMIT_S} s")


@contextmanager
def served(settings: Settings, rows: list[tuple[str, str, str]]) -> Iterator[Server]:
    """A DNS server on the loopback interface that has these records."""
    with tempfile.TemporaryDirectory(dir=settings.home) as folder:
        path = Path(folder) / "zones.json"
        _write(path, 1, rows)
        module = "oltp_lab.neighbours.dns.server"
        with services.running(settings, module, str(path)) as (process, told):
            yield Server(path, process, told["port"])


def _write(path: Path, serial: int, rows: list[tuple[str, str, str]]) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"serial": serial, "rows": rows}), "utf-8")
    draft.replace(path)


def _query(name: str) -> Any:
    queries: Mapping[str, Any] = sql.queries("neighbours/dns/world.sql")
    return queries[name]

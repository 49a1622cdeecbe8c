"""The ground of a trial: a copy of the OLTP with tenants and servers of its own, and sessions."""

import tomllib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from threading import Barrier
from typing import Any

import psycopg
from psycopg.rows import dict_row

from oltp_lab import sql
from oltp_lab.neighbours import copies
from oltp_lab.servers import Database

TABLES = (
    "public.tenants",
    "infrastructure.domains",
    "infrastructure.verified_domains",
    "infrastructure.vps_instances",
    "infrastructure.smtp_ips",
    "infrastructure.email_accounts",
    "infrastructure.ip_assignments",
    "infrastructure.daily_sends",
    "infrastructure.costs",
)
CASES = 11
"""Of reputation, each with a tenant and an address of its own; see ``cases`` in world.sql."""
_LIMIT_S = 120.0
_QUERIES: dict[str, Any] = {
    name: text
    for file in ("world", "operations", "checks", "figures")
    for name, text in sql.queries(f"neighbours/addresses/{file}.sql").items()
}


@dataclass(frozen=True)
class Extent:
    """How many tenants warm up and race, how many sessions, servers and days."""

    warming: int
    racing: int
    sessions: int
    servers: int
    days: int

    @staticmethod
    def of(scale: str) -> "Extent":
        """Of ip_operations.toml."""
        return Extent(
            **tomllib.loads(sql.read("neighbours/addresses/ip_operations.toml"))["scales"][scale]
        )


@dataclass
class Session:
    """A session of the platform, each statement a transaction of its own."""

    connection: psycopg.Connection

    def rows(self, name: str, **values: Any) -> list[dict[str, Any]]:
        """What a named query of sql/neighbours/addresses returns."""
        with self.connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(_QUERIES[name], values)
            return cursor.fetchall() if cursor.description else []

    def values(self, name: str, **values: Any) -> list[Any]:
        """The first column of it."""
        return [next(iter(row.values())) for row in self.rows(name, **values)]


@dataclass
class Trial:
    """A copy with its sessions; ``at`` is the morning on which the trial begins."""

    database: Database
    sessions: Sequence[Session]
    at: datetime
    _rented: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def platform(self) -> Session:
        """One of the sessions, for what is done by one."""
        return self.sessions[0]

    def together(self, *works: Callable[[Session], Any]) -> list[Any]:
        """Each work in a session of its own, all beginning at once; what they returned."""
        barrier = Barrier(len(works))

        def begin(session: Session, work: Callable[[Session], Any]) -> Any:
            barrier.wait(timeout=_LIMIT_S)
            return work(session)

        with ThreadPoolExecutor(len(works)) as pool:
            return list(pool.map(begin, self.sessions, works, timeout=_LIMIT_S))

    def rent(self, servers: int, addresses: int, at: datetime) -> None:
        """So many cold addresses, on so many new servers."""
        lot = next(self._rented)
        named = {"prefix": f"trial-{lot}-", "servers": servers, "at": at}
        self.platform.rows("servers", **named)
        self.platform.rows("addresses", **named, addresses=addresses, first=f"198.{17 + lot}.0.0")

    def note(self, stage: str, operation: str, outcome: str, calls: int) -> None:
        """Remember how often something came of an operation."""
        noted = {"stage": stage, "operation": operation, "outcome": outcome, "calls": calls}
        self.platform.rows("outcome", **noted)


@contextmanager
def made(original: Database, extent: Extent) -> Iterator[Trial]:
    """The trial's own tenants, and addresses for those that warm up, and of cases."""
    with copies.made(original, TABLES) as database, ExitStack() as stack:
        with database.connect(autocommit=True) as administrator:
            administrator.execute(_QUERIES["ground"])
        sessions = [
            Session(stack.enter_context(database.connect("lab_platform", autocommit=True)))
            for _ in range(extent.sessions)
        ]
        for session in sessions:
            session.rows("settings")
        (at,) = sessions[0].values("begins")
        trial = Trial(database, sessions, at)
        sized = {"tenants": extent.warming + CASES + extent.racing, "at": at}
        for name in ("tenants", "domains", "mailboxes"):
            trial.platform.rows(name, **sized)
        trial.rent(extent.servers, extent.warming + CASES + extent.racing // 4, at)
        yield trial

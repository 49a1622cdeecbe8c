"""Reference or duplicate: what it costs the OLTP to have the body in its row as well."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from typing import Any
from uuid import UUID

import numpy as np
import psycopg

from oltp_lab import sql
from oltp_lab.measuring import statistics
from oltp_lab.neighbours.content import authoring
from oltp_lab.neighbours.content.authoring import Saved
from oltp_lab.neighbours.content.tiers import Session, Tiers

ARMS = ("reference", "duplicate")
MEASURES = (
    "create_ms",
    "read_ms",
    "withdraw_ms",
    "clean_up_ms",
    "wal_bytes",
    "clean_up_wal_bytes",
    "oltp_bytes",
)
"""Medians of a round, of one body: making it, a sender's reading it, from its withdrawal until
nobody is given it, removing it; log and growth of the OLTP."""

Rows = list[dict[str, Any]]


def run(tiers: Tiers, tenant: UUID, *, rounds: int, saves: int, size: int) -> Rows:
    """A row for each round and arm, in turns; the tables are those of a scene of its own."""
    with tiers.oltp.connect(autocommit=True) as administrator:
        administrator.execute(_queries()["setup"])
        session = Session(tiers, tenant)
        try:
            _Arm(session, administrator, tenant, size, copies=True).round(2)  # the first is cold
            rows = []
            for number in range(rounds):
                for name in ARMS if number % 2 else reversed(ARMS):
                    arm = _Arm(session, administrator, tenant, size, copies=name == "duplicate")
                    rows.append({"arm": name, "round": number} | arm.round(saves))
            return rows
        finally:
            session.close()


def summary(rows: Rows) -> Rows:
    """A row for each measure: both medians, and the duplicate's over the reference's.

    The interval is of 95 %, by bootstrap over rounds; there is none where a measure is 0.
    """
    told = []
    for measure in MEASURES:
        values = {arm: [r[measure] for r in rows if r["arm"] == arm] for arm in ARMS}
        row: dict[str, Any] = {"measure": measure, **{a: median(v) for a, v in values.items()}}
        if all(value > 0 for each in values.values() for value in each):
            found = statistics.compare_pooled(_log_ratio(values), len(values["reference"]))
            row |= {"ratio": found.ratio, "low": found.low, "high": found.high}
        else:
            row |= {"ratio": None, "low": None, "high": None}
        told.append(row)
    return told


def _log_ratio(values: Mapping[str, list[float]]) -> Callable[[np.ndarray], float]:
    duplicate, reference = (np.array(values[arm]) for arm in ("duplicate", "reference"))
    return lambda rounds: float(np.log(np.median(duplicate[rounds]) / np.median(reference[rounds])))


class _Arm:
    """Bodies saved, read, withdrawn and removed one way."""

    def __init__(
        self,
        session: Session,
        administrator: psycopg.Connection,
        tenant: UUID,
        size: int,
        *,
        copies: bool,
    ) -> None:
        self._session, self._administrator, self._tenant = session, administrator, tenant
        self._size, self._copies = size, copies
        self._seen: dict[str, list[float]] = defaultdict(list)

    def round(self, saves: int) -> dict[str, float]:
        wal, size = self._server("wal"), self._server("size")
        saved = [self._timed("create_ms", self._save) for _ in range(saves)]
        wal_after, size_after = self._server("wal"), self._server("size")
        for made in saved:
            self._timed("read_ms", lambda made=made: self._read(made))
        withdrawn, *others = saved
        self._timed("withdraw_ms", lambda: self._withdraw(withdrawn))
        before = self._server("wal")
        for made in others:
            self._timed("clean_up_ms", lambda made=made: self._clean_up(made))
        cleaned = self._server("wal")
        self._clean_up(withdrawn)
        return {name: median(values) for name, values in self._seen.items()} | {
            "wal_bytes": (wal_after - wal) / saves,
            "oltp_bytes": (size_after - size) / saves,
            "clean_up_wal_bytes": (cleaned - before) / max(len(others), 1),
        }

    def _save(self) -> Saved:
        body = os.urandom(self._size)
        if not self._copies:
            return authoring.save(self._session, body)

        def copy(oltp: psycopg.Connection, version: UUID, key: str) -> None:
            values = {"tenant": self._tenant, "version": version, "key": key, "body": body}
            oltp.execute(_queries()["copy"], values)

        return authoring.save(self._session, body, beside=copy)

    def _read(self, made: Saved) -> bytes | None:
        """What a sender is given: None for what was withdrawn."""
        values = {"tenant": self._tenant, "version": made.version}
        if self._copies:
            with self._in_oltp() as oltp:
                row = oltp.execute(_queries()["read_copy"], values).fetchone()
                return row[0] if row else None
        with self._in_oltp() as oltp:
            (key,) = oltp.execute(_queries()["key_of"], values).fetchone() or ("",)
        (absent,) = self._session.in_content("unavailable", keys=[key])
        return None if absent else self._session.in_content("fetch", key=key)[0]

    def _withdraw(self, made: Saved) -> None:
        """The content is not to be sent any more; over when a sender is refused."""
        self._session.in_content("mark_deleting", keys=[made.key])
        if self._copies:
            self._scrub(made)
        while self._read(made) is not None:
            time.sleep(0.001)

    def _clean_up(self, made: Saved) -> None:
        """The template goes, and what was kept beside it."""
        if self._copies:
            self._scrub(made)
        authoring.delete(self._session, made.template)

    def _scrub(self, made: Saved) -> None:
        with self._in_oltp() as oltp:
            oltp.execute(_queries()["scrub"], {"tenant": self._tenant, "keys": [made.key]})

    @contextmanager
    def _in_oltp(self) -> Iterator[psycopg.Connection]:
        connection = self._session.oltp
        with connection.transaction():
            connection.execute("select lab.enter_tenant(%s)", [self._tenant])
            yield connection

    def _timed(self, measure: str, call: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = call()
        self._seen[measure].append(1000 * (time.perf_counter() - began))
        return result

    def _server(self, name: str) -> float:
        (value,) = self._administrator.execute(_queries()[name]).fetchone() or (0,)
        return float(value)


def _queries() -> dict[str, Any]:
    return sql.queries("neighbours/content/comparison.sql")

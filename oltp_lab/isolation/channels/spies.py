"""A spy and its victim: two tenants of the application, one probe at a time, with a known secret.

Both are sessions of lab_app in their own tenant's context, and send their values as literals, as
many drivers do. What the victim does is rolled back, or removed by the channel's own queries:

``act``, ``rest``      what the victim does when the secret is true, and when it is not
``flush``, ``settle``  after that, outside of a transaction: the victim, and the administrator
``probe``              what the spy asks, in a transaction that is rolled back
``undo``               what the victim does after each probe, outside of a transaction
``prepare``, ``tidy``  once: the spy at the beginning, the administrator at the end
"""

import re
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg
from psycopg.sql import SQL, Composed
from psycopg.types.string import TextLoader

from oltp_lab.servers import Database

Query = LiteralString | SQL | Composed

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:[\d.]+(?:[+-]\d\d(?::\d\d)?)?")
_PATIENCE = 0.01  # seconds that a notification may take


@dataclass(frozen=True)
class Manner:
    """How the victim acts, what the spy looks at, and which figures of a plan it adds up.

    ``victim``: none, commits, waits (its transaction stays open), rolls back, same session (as the
    pooled one before), same transaction. ``observes``: answer (an error counts as one), number,
    growth (of a number, while the victim acts), time (in nanoseconds), notification.
    """

    victim: str
    observes: str
    reads: str | None


@dataclass(frozen=True)
class Trial:
    """One probe: the truth, what the spy observed (a number or a text), and the spy's own time."""

    secret: bool
    observed: float | str
    seconds: float


@dataclass
class Spies:
    """The sessions of one channel; ``refusals`` are the errors that either met."""

    tenants: Sequence[uuid.UUID]
    manner: Manner
    spy: psycopg.Connection
    victim: psycopg.Connection
    administrator: psycopg.Connection
    refusals: list[str] = field(default_factory=list)

    def run(
        self, queries: Mapping[str, Query], secrets: Iterable[dict[str, Any]], seconds: float
    ) -> list[Trial]:
        """A trial for each secret, which comes with what the spy may know of it, in so many seconds
        or soon after."""
        own, other = self.tenants
        trials: list[Trial] = []
        ends = time.monotonic() + seconds
        for told in secrets:
            trials.append(self._try(queries, {**told, "own": own, "victim": other}))
            if time.monotonic() > ends:
                break
        return trials

    def _try(self, queries: Mapping[str, Query], told: dict[str, Any]) -> Trial:
        earlier, seconds = 0.0, 0.0
        if self.manner.observes == "growth":
            earlier, seconds = self._look(queries, told)
            self.spy.rollback()
        if self.manner.victim != "none":
            told = self._act(queries, told)
        observed, spent = self._look(queries, told)
        self._end(queries)
        if self.manner.observes == "growth":
            observed = float(observed) - float(earlier)
        return Trial(told["secret"], observed, seconds + spent)

    def _act(self, queries: Mapping[str, Query], told: dict[str, Any]) -> dict[str, Any]:
        """What the victim does, whose answer the spy may know, as ``told``."""
        shared = self.manner.victim in {"same session", "same transaction"}
        session = self.spy if shared else self.victim
        try:
            if shared:
                session.execute("select lab.enter_tenant(%s)", [self.tenants[1]])
            if query := queries.get("act" if told["secret"] else "rest"):
                rows = _last(session.execute(query, told))
                told = {**told, "told": rows[0][0] if rows else None}
        except psycopg.Error as error:  # the victim may not, so there is nothing to see
            self._refused(error)
            session.rollback()
        if self.manner.victim in {"commits", "same session"}:
            session.commit()
        elif self.manner.victim == "rolls back":
            session.rollback()
        if flush := queries.get("flush"):
            _alone(self.victim, flush)
        if settle := queries.get("settle"):
            _alone(self.administrator, settle)
        return told

    def _look(
        self, queries: Mapping[str, Query], told: Mapping[str, Any]
    ) -> tuple[float | str, float]:
        """What the spy sees, and its time in seconds."""
        began = time.perf_counter()
        if self.manner.observes == "notification":
            seen = [note.payload for note in self.spy.notifies(timeout=_PATIENCE, stop_after=1)]
            return str(seen), time.perf_counter() - began
        if self.manner.observes == "time":
            self.spy.execute("select 1")  # begins the transaction before the clock runs
        rows: list[tuple[Any, ...]] = []
        clock = time.perf_counter_ns()
        try:
            if self.manner.victim == "same transaction":
                self.spy.execute("select lab.enter_tenant(%s)", [self.tenants[0]])
            cursor = self.spy.execute(queries["probe"], told)
            elapsed = time.perf_counter_ns() - clock
            rows = _last(cursor)
            answer = f"{cursor.statusmessage} {rows}"
        except psycopg.Error as error:
            elapsed = time.perf_counter_ns() - clock
            answer = self._refused(error)
        seconds = time.perf_counter() - began
        if self.manner.observes == "answer":
            return _masked(answer, told), seconds
        return float(elapsed) if self.manner.observes == "time" else self._number(rows), seconds

    def _number(self, rows: list[tuple[Any, ...]]) -> float:
        """The one number of an answer, or the sum of a plan's; nothing where it was refused."""
        value = rows[0][0] if rows else 0
        return _summed(value, self.manner.reads) if self.manner.reads else float(value or 0)

    def _refused(self, error: psycopg.Error) -> str:
        """What the server said; an error that is not the server's is raised."""
        if error.sqlstate is None:
            raise error
        said = error.diag
        parts = (error.sqlstate, said.message_primary, said.message_detail, said.message_hint)
        self.refusals.append(" ".join(part for part in parts if part))
        return self.refusals[-1]

    def _end(self, queries: Mapping[str, Query]) -> None:
        """Take back what both did."""
        self.spy.rollback()
        self.victim.rollback()
        if undo := queries.get("undo"):
            self._attempt(self.victim, undo)
        if self.manner.victim == "same session":
            _alone(self.spy, "discard all")
            _enter(self.spy, self.tenants[0])

    def _attempt(self, session: psycopg.Connection, query: Query) -> None:
        """Run what may be refused."""
        try:
            _alone(session, query)
        except psycopg.Error as error:
            self._refused(error)


@contextmanager
def sent(
    database: Database,
    tenants: Sequence[uuid.UUID],
    manner: Manner,
    queries: Mapping[str, LiteralString],
) -> Iterator[Spies]:
    """The sessions of the spy's tenant and its victim's, prepared, and tidied up at the end."""
    with ExitStack() as stack:
        administrator = stack.enter_context(database.connect(autocommit=True))
        spy, victim = (
            stack.enter_context(database.connect("lab_app", cursor_factory=psycopg.ClientCursor))
            for _ in tenants
        )
        for session, tenant in zip((spy, victim), tenants, strict=True):
            _enter(session, tenant)
            session.adapters.register_loader("timestamptz", TextLoader)  # there is infinity
        pair = Spies(tenants, manner, spy, victim, administrator)
        if prepare := queries.get("prepare"):
            pair._attempt(pair.spy, prepare)
        try:
            yield pair
        finally:
            pair._end(queries)
            if tidy := queries.get("tidy"):
                _alone(administrator, tidy)


def _enter(session: psycopg.Connection, tenant: uuid.UUID) -> None:
    """For the whole session, so that a probe is one statement."""
    session.execute("select set_config('nile.tenant_id', %s, false)", [str(tenant)])
    session.execute("set statement_timeout = '10s'")
    session.commit()


def _alone(session: psycopg.Connection, query: Query) -> None:
    """Run a statement outside of a transaction."""
    before = session.autocommit
    session.set_autocommit(True)
    try:
        session.execute(query)
    finally:
        session.set_autocommit(before)


def _last(cursor: psycopg.Cursor) -> list[tuple[Any, ...]]:
    """The rows of a query's last statement."""
    while cursor.nextset():
        pass
    return cursor.fetchall() if cursor.description else []


def _masked(answer: str, told: Mapping[str, Any]) -> str:
    """Without the time, and what the spy said itself, which an answer may repeat."""
    words = [value for value in told.values() if isinstance(value, str) and len(value) > 3]
    for word in sorted(words, key=len, reverse=True):
        answer = answer.replace(word, "?")
    return _TIME.sub("?", _UUID.sub("?", answer))


def _summed(plan: Any, key: str) -> float:
    """All that a plan in JSON says under one key."""
    if isinstance(plan, list):
        return sum(_summed(part, key) for part in plan)
    if isinstance(plan, dict):
        return sum(
            float(value) if name == key else _summed(value, key) for name, value in plan.items()
        )
    return 0.0

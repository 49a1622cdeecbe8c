"""The reconciler: ends what was left half done, in either database, whoever died over it.

It may be killed anywhere and several may run; every step can be done again.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg

from oltp_lab import sql
from oltp_lab.neighbours.content.tiers import Reached, Session, Tiers, unheard

GRACE = timedelta(minutes=10)
"""How long content stays after it was marked for deletion, by default."""
FORGOTTEN_AFTER = timedelta(days=7)
"""For how long nobody stores a body and commits what refers to it: the fence against latecomers."""
STEPS = (
    "expired confirmed", "expired marked", "references read", "unreferenced marked", "restored",
    "missing noted", "found noted", "condemned", "removed", "forgotten",
)  # fmt: skip

_BATCH = 500
Keys = list[tuple[UUID, list[str]]]
Condemn = Callable[[psycopg.Connection, UUID, list[str]], list[str]]


@dataclass
class Healed:
    """What a pass did, by kind, in objects; campaigns that it had to pause among them."""

    done: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Fault:
    """How many are ``dangling`` or ``orphan``, and up to three of their keys."""

    kind: str
    number: int
    examples: tuple[str, ...]


def condemned_by_oltp(oltp: psycopg.Connection, tenant: UUID, keys: list[str]) -> list[str]:
    """Which of these the OLTP says may go."""
    return list(_value(oltp, "condemn", tenant=tenant, keys=keys) or [])


def reconcile(
    tiers: Tiers,
    *,
    grace: timedelta = GRACE,
    condemn: Condemn = condemned_by_oltp,
    reached: Reached = unheard,
) -> Healed:
    """One pass. Raises LabError when either database is not to be had; what was done stays done."""
    healed = Healed()
    session = Session(tiers)
    try:
        oltp, content = session.oltp, session.content
        for connection in (oltp, content):
            connection.execute(_queries()["session"])
        done = healed.done
        _end_expired(oltp, content, done, reached)
        copy_references(oltp, content)
        reached("references read")
        _compare(oltp, content, grace, done, reached)
        for tenant, keys in _many(content, "doomed", grace=grace, batch=_BATCH):
            going = condemn(oltp, tenant, keys)
            reached("condemned")
            if spared := sorted(set(keys) - set(going)):
                done["restored"] += _value(content, "restore", tenant=tenant, keys=spared)
            done["removed"] += _value(content, "remove", tenant=tenant, keys=going)
            reached("removed")
        done["forgotten"] += _value(oltp, "forget", after=FORGOTTEN_AFTER)
        reached("forgotten")
    finally:
        session.close()
    return healed


def judge(tiers: Tiers, *, grace: timedelta = timedelta(0)) -> list[Fault]:
    """The oracle: what is dangling, and what is an orphan for longer than the grace period, now."""
    session = Session(tiers)
    try:
        copy_references(session.oltp, session.content)
        query = _queries()["judge"]
        found = session.content.execute(query, {"grace": grace}).fetchall()
        faults = [Fault(kind, number, tuple(keys)) for kind, number, keys in found]
        (lost,) = session.oltp.execute(_queries()["running_without_content"]).fetchone() or (0,)
        return [*faults, Fault("running without content", lost, ())]
    finally:
        session.close()


def copy_references(oltp: psycopg.Connection, content: psycopg.Connection) -> None:
    """Bring what every version refers to into a temporary table beside the content."""
    queries = _queries()
    content.execute(queries["reference_table"])
    pump(oltp, queries["references_out"], content, queries["references_in"])
    content.execute(queries["analyze_references"])


def pump(source: psycopg.Connection, out: Any, target: psycopg.Connection, into: Any) -> None:
    """Copy what one session's COPY gives into another's."""
    with (
        source.cursor() as reading,
        target.cursor() as writing,
        reading.copy(out) as data,
        writing.copy(into) as place,
    ):
        for block in data:
            place.write(block)


def _end_expired(
    oltp: psycopg.Connection, content: psycopg.Connection, done: Counter[str], reached: Reached
) -> None:
    """What authors left pending is confirmed where they committed, else marked for deletion."""
    for tenant, keys in _many(content, "expired", batch=_BATCH):
        versions = _many(oltp, "versions", tenant=tenant, keys=keys)
        for key, version in versions:
            done["confirmed"] += _value(content, "confirm", tenant=tenant, key=key, version=version)
            reached("expired confirmed")
        if left := sorted(set(keys) - {key for key, _ in versions}):
            done["marked"] += _value(content, "mark_deleting", tenant=tenant, keys=left)
            reached("expired marked")


def _compare(
    oltp: psycopg.Connection,
    content: psycopg.Connection,
    grace: timedelta,
    done: Counter[str],
    reached: Reached,
) -> None:
    """What nobody refers to is marked, what somebody does is kept, what is lost is told."""
    for tenant, keys in _many(content, "unreferenced", grace=grace):
        done["marked"] += _value(content, "mark_deleting", tenant=tenant, keys=keys)
        reached("unreferenced marked")
    for tenant, keys in _many(content, "wrongly_deleting"):
        done["restored"] += _value(content, "restore", tenant=tenant, keys=keys)
        reached("restored")
    for tenant, keys in _many(content, "dangling"):
        done["missing"] += len(keys)
        done["campaigns paused"] += _value(oltp, "note_missing", tenant=tenant, keys=keys)
        reached("missing noted")
    for tenant, keys in _many(oltp, "missing"):
        if there := _value(content, "present", tenant=tenant, keys=keys):
            done["found"] += _value(oltp, "note_found", tenant=tenant, keys=there)
            reached("found noted")


def _many(connection: psycopg.Connection, name: str, **values: Any) -> list[Any]:
    return connection.execute(_queries()[name], values).fetchall()


def _value(connection: psycopg.Connection, name: str, **values: Any) -> Any:
    (value,) = connection.execute(_queries()[name], values).fetchone() or (None,)
    return value


def _queries() -> dict[str, Any]:
    return sql.queries("neighbours/content/reconciliation.sql")


def told(faults: Iterable[Fault]) -> list[str]:
    """Faults as sentences."""
    return [f"{f.number} {f.kind}: {', '.join(f.examples)}" for f in faults if f.number]

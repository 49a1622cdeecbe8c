"""The reconciler: ends what was left half done, in either database, whoever died over it.

It may be killed anywhere and several may run; every step can be done again. A pass reads what is
marked or late, and a digest a tenant of all references; it reads references of tenants that differ.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.neighbours.content.tiers import Reached, Tiers, unheard

GRACE = timedelta(minutes=10)
"""How long content stays after it was marked for deletion, by default."""
FORGOTTEN_AFTER = timedelta(days=7)
"""For how long nobody stores a body and commits what refers to it: the fence against latecomers."""
STEPS = (
    "expired confirmed", "expired marked", "digests compared", "unconfirmed confirmed",
    "uses dropped", "missing noted", "unused marked", "restored", "found noted", "condemned",
    "removed", "forgotten",
)  # fmt: skip
"""What a pass comes to, where there is something of the kind, in this order."""

_BATCH = 500
Condemn = Callable[[psycopg.Connection, UUID, list[str]], list[str]]
"""Given the OLTP, a tenant and keys: which of them may go."""


def condemned_by_oltp(oltp: psycopg.Connection, tenant: UUID, keys: list[str]) -> list[str]:
    """Which of these the OLTP says may go."""
    return list(_value(oltp, "condemn", tenant=tenant, keys=keys) or [])


def reconcile(
    tiers: Tiers,
    *,
    grace: timedelta = GRACE,
    condemn: Condemn = condemned_by_oltp,
    reached: Reached = unheard,
) -> Counter[str]:
    """One pass. Returns what it did by kind, in objects; campaigns that it had to pause among them.

    Raises LabError when either database is not to be had, or goes away; what was done stays done.
    """
    try:
        with tiers.worker() as (oltp, content):
            stages = _Pass(oltp, content, grace, reached)
            stages.end_expired()
            stages.compare()
            stages.restore()
            stages.remove(condemn)
            return stages.done
    except psycopg.OperationalError as error:
        reason = str(error).splitlines()[0]
        raise LabError(f"the reconciler was cut off ({reason}): start it again") from error


class _Pass:
    """Its stages, in the order of their methods."""

    def __init__(
        self,
        oltp: psycopg.Connection,
        content: psycopg.Connection,
        grace: timedelta,
        reached: Reached,
    ) -> None:
        self._oltp, self._content = oltp, content
        self._grace, self._reached = grace, reached
        self.done: Counter[str] = Counter()

    def end_expired(self) -> None:
        """What authors left pending is confirmed where they committed, else marked for deletion."""
        for tenant, keys in _batches(self._content, "expired"):
            versions = _rows(self._oltp, "versions", tenant=tenant, keys=keys)
            for key, version in versions:
                self._confirm(tenant, key, version)
                self._reached("expired confirmed")
            if left := sorted(set(keys) - {key for key, _ in versions}):
                self._mark(tenant, left)
                self._reached("expired marked")

    def compare(self) -> None:
        """Uses follow the OLTP's versions; what these refer to and is lost is told."""
        versions = {tenant: rest for tenant, *rest in _rows(self._oltp, "version_digests")}
        uses = {tenant: rest for tenant, *rest in _rows(self._content, "use_digests")}
        self._reached("digests compared")
        for tenant in sorted(versions.keys() | uses.keys()):
            if versions.get(tenant) != uses.get(tenant):
                self._settle(tenant)
        for tenant, keys in _rows(self._content, "unused", grace=self._grace):
            self._mark(tenant, keys)
            self._reached("unused marked")

    def _settle(self, tenant: UUID) -> None:
        ((keys, ids),) = _rows(self._oltp, "references", tenant=tenant)
        found: dict[str, list[tuple[str, UUID]]] = {"gone": [], "missing": [], "unconfirmed": []}
        for kind, key, version in _rows(
            self._content, "differences", tenant=tenant, keys=keys, versions=ids, grace=self._grace
        ):
            found[kind].append((key, version))
        for key, version in found["unconfirmed"]:
            self._confirm(tenant, key, version)
            self._reached("unconfirmed confirmed")
        if gone := [version for _, version in found["gone"]]:
            dropped = _value(self._content, "drop_uses", tenant=tenant, versions=gone)
            self.done["uses dropped"] += dropped
            self._reached("uses dropped")
        if missing := sorted({key for key, _ in found["missing"]}):
            self.done["missing"] += len(missing)
            paused = _value(self._oltp, "note_missing", tenant=tenant, keys=missing)
            self.done["campaigns paused"] += paused
            self._reached("missing noted")

    def restore(self) -> None:
        """What is marked though somebody refers to it is kept; what was lost and is back, noted."""
        for tenant, keys in _rows(self._content, "deleting"):
            versions = _rows(self._oltp, "versions", tenant=tenant, keys=keys)
            if kept := sorted({key for key, _ in versions}):
                self.done["restored"] += _value(self._content, "restore", tenant=tenant, keys=kept)
                self._reached("restored")
        for tenant, keys in _rows(self._oltp, "missing"):
            if there := _value(self._content, "present", tenant=tenant, keys=keys):
                self.done["found"] += _value(self._oltp, "note_found", tenant=tenant, keys=there)
                self._reached("found noted")

    def remove(self, condemn: Condemn) -> None:
        """What was marked long enough goes, if the OLTP says so."""
        for tenant, keys in _batches(self._content, "doomed", grace=self._grace):
            going = condemn(self._oltp, tenant, keys)
            self._reached("condemned")
            if spared := sorted(set(keys) - set(going)):
                restored = _value(self._content, "restore", tenant=tenant, keys=spared)
                self.done["restored"] += restored
            self.done["removed"] += _value(self._content, "remove", tenant=tenant, keys=going)
            self._reached("removed")
        self.done["forgotten"] += _value(self._oltp, "forget", after=FORGOTTEN_AFTER)
        self._reached("forgotten")

    def _confirm(self, tenant: UUID, key: str, version: UUID) -> None:
        confirmed = _value(self._content, "confirm", tenant=tenant, key=key, version=version)
        self.done["confirmed"] += confirmed

    def _mark(self, tenant: UUID, keys: list[str]) -> None:
        marked = _value(self._content, "mark_deleting", tenant=tenant, keys=keys)
        self.done["marked"] += marked


def _batches(connection: psycopg.Connection, name: str, **values: Any) -> Iterator[Any]:
    """Rows, asked for again until there are none: whoever takes one ends its being found."""
    while found := _rows(connection, name, batch=_BATCH, **values):
        yield from found


def _rows(connection: psycopg.Connection, name: str, **values: Any) -> list[Any]:
    return connection.execute(_queries()[name], values).fetchall()


def _value(connection: psycopg.Connection, name: str, **values: Any) -> Any:
    (value,) = connection.execute(_queries()[name], values).fetchone() or (None,)
    return value


def _queries() -> dict[str, Any]:
    return sql.queries("neighbours/content/reconciliation.sql")

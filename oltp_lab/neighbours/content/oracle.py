"""The oracle: whether the two databases agree, and whether tenants see their own content alone.

It reads everything, and believes nothing that was noted.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from oltp_lab import sql
from oltp_lab.neighbours.content.tiers import Tiers, pump


@dataclass(frozen=True)
class Fault:
    """How many there are of a kind, and up to three of their keys.

    The kinds are ``dangling`` (versions), ``orphan`` (objects) and ``running without content``
    (campaigns).
    """

    kind: str
    number: int
    examples: tuple[str, ...]


def judge(tiers: Tiers, *, grace: timedelta = timedelta(0)) -> list[Fault]:
    """A fault of each kind, as it is now; what goes within the grace period is no orphan yet.

    Raises LabError when either database is not to be had.
    """
    queries = _queries()
    with (
        tiers.oltp.connect("lab_platform") as oltp,
        tiers.content.connect("lab_platform") as content,
    ):
        content.execute(queries["reference_table"])
        pump(oltp, queries["references_out"], content, queries["references_in"])
        content.execute(queries["index_references"])
        found = content.execute(queries["judge"], {"grace": grace}).fetchall()
        faults = [Fault(kind, number, tuple(keys)) for kind, number, keys in found]
        (unsent,) = oltp.execute(queries["running_without_content"]).fetchone() or (0,)
    return [*faults, Fault("running without content", unsent, ())]


def told(faults: Iterable[Fault]) -> list[str]:
    """Faults as sentences."""
    return [f"{f.number} {f.kind}: {', '.join(f.examples)}" for f in faults if f.number]


def leaks(tiers: Tiers) -> list[str]:
    """Sentences: where the application sees of the content database what is not its tenant's."""
    queries, found = _queries(), []
    with tiers.content.connect("lab_platform") as platform:
        owners = [owner for (owner,) in platform.execute(queries["owners"])]
    with tiers.content.connect("lab_app") as application:
        for tenant in (None, *owners):
            application.execute("select lab.enter_tenant(%s)", [tenant])
            foreign = application.execute(queries["foreign"], {"tenant": tenant}).fetchall()
            found += [f"{number} rows of {table} seen as {tenant}" for table, number in foreign]
            application.rollback()
        found += [
            f"{table} is without forced row level security"
            for (table,) in application.execute(queries["unforced"])
        ]
    return found


def _queries() -> dict[str, Any]:
    return sql.queries("neighbours/content/oracle.sql")

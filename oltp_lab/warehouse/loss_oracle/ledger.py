"""What writers were acknowledged, and how what somebody holds compares with it."""

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

Key = tuple[str, str]
"""Table (``schema.name``) and id."""
Rows = dict[Key, str]
"""The value of each row."""

MART = "marts.campaign_daily"
FAULTS = ("lost", "phantom", "duplicate", "stale")
SHOWN = 3


@dataclass(frozen=True)
class Version:
    """A tenant's rows as a transaction left them; with an ``xid``, unless a crash took it back."""

    xid: int | None
    rows: Rows


@dataclass(frozen=True)
class Prepared:
    """What a tenant's rows become if the transaction prepared under ``gid`` is committed."""

    gid: str
    xid: int
    rows: Rows


@dataclass
class Book:
    """The ledger of one tenant, on which one transaction works at a time.

    ``versions`` begin with one that no crash can take back. The campaign, its step and the lead in
    it stay until the tenant goes; ``closing`` says that it is being purged.
    """

    tenant: uuid.UUID = field(default_factory=uuid.uuid4)
    campaign: uuid.UUID = field(default_factory=uuid.uuid4)
    step: uuid.UUID = field(default_factory=uuid.uuid4)
    lead: uuid.UUID = field(default_factory=uuid.uuid4)
    versions: list[Version] = field(default_factory=lambda: [Version(None, {})])
    prepared: Prepared | None = None
    closing: bool = False

    @property
    def rows(self) -> Rows:
        """As the latest transaction left them."""
        return self.versions[-1].rows

    def settle(self, rows: Rows) -> None:
        """These are its rows, and no crash can take that back."""
        self.versions = [Version(None, rows)]

    def resolve(self, committed: Callable[[int], bool], prepared: Collection[str]) -> int:
        """Take back what a crash took back; returns how many transactions that were in doubt.

        ``committed`` is asked by xid, ``prepared`` are the gids that the server still has.
        """
        latest, *_ = (v for v in reversed(self.versions) if v.xid is None or committed(v.xid))
        doubtful = len(self.versions) - 1
        self.settle(latest.rows)
        if self.prepared and self.prepared.gid not in prepared:
            doubtful += 1
            if committed(self.prepared.xid):
                self.settle(self.prepared.rows)
            self.prepared = None
        return doubtful


@dataclass(frozen=True)
class Verdict:
    """How many rows of a table somebody should hold, and which he does not hold so, by key."""

    table_name: str
    rows: int
    lost: int
    phantom: int
    duplicate: int
    stale: int
    examples: tuple[str, ...] = ()

    @property
    def faults(self) -> int:
        return sum(getattr(self, fault) for fault in FAULTS)


def truth(books: Iterable[Book]) -> Rows:
    """Every row that was acknowledged, and of the mart the events of each campaign."""
    rows: Rows = {}
    for book in books:
        rows |= book.rows
        if sent := sum(table == "campaigns.events" for table, _ in book.rows):
            rows[MART, str(book.campaign)] = str(sent)
    return rows


def judge(acknowledged: Rows, held: Iterable[tuple[str, str, str]]) -> list[Verdict]:
    """Compare what is held (table, id, value) with the ledger, by table."""
    found = list(held)
    times = Counter((table, key) for table, key, _ in found)
    wrong = {(t, key) for t, key, value in found if acknowledged.get((t, key), value) != value}
    faults = {
        "lost": acknowledged.keys() - times.keys(),
        "phantom": times.keys() - acknowledged.keys(),
        "duplicate": {key for key, number in times.items() if number > 1},
        "stale": wrong,
    }
    tables = sorted({table for table, _ in (*acknowledged, *times)})
    return [_verdict(table, acknowledged, faults) for table in tables]


def _verdict(table: str, acknowledged: Rows, faults: Mapping[str, Iterable[Key]]) -> Verdict:
    of_table = {kind: sorted(key for t, key in keys if t == table) for kind, keys in faults.items()}
    counts = {kind: len(keys) for kind, keys in of_table.items()}
    examples = tuple(f"{kind}: {key}" for kind, keys in of_table.items() for key in keys[:SHOWN])
    return Verdict(table, sum(t == table for t, _ in acknowledged), **counts, examples=examples)

"""Extraction: a full one against DuckDB alone, an increment in a large table against a small one.

An increment's cost is the wall time of the whole sync of one table, from opening the warehouse to
having closed it; ``detail`` gives the part alone that depends on the table.
"""

import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import duckdb
from psycopg.sql import Literal

from oltp_lab import settings
from oltp_lab.resources.warehouse import Warehouse
from oltp_lab.sample_data import load
from oltp_lab.servers import Database
from oltp_lab.settings import Settings
from oltp_lab.warehouse import extraction, transactions
from oltp_lab.warehouse.tables import READER, Description, TableSpec, describe
from oltp_lab_tests.benchmarks._scratch import scratch

SMALL, LARGE = 100_000, 2_000_000
CHANGED = 1_000
LEADS = TableSpec("campaigns", "leads")

# Rows as the triggers would leave them, made without them; room on each page, as in a table that
# has lived, so that an updated row stays where it is.
_FILL = """
alter table campaigns.leads set (fillfactor = 90);
alter table campaigns.leads disable trigger user;
alter table campaigns.leads drop constraint leads_email_norm_key;
drop index campaigns.leads_status_idx;
insert into public.tenants (name) select 'tenant ' || n from generate_series(1, 100) as n;
insert into campaigns.leads (tenant_id, email, first_name, custom_fields, change_xid)
select t.ids[1 + n % 100], 'lead' || n || '@one.example', 'Name', '{{"source": "import"}}',
       pg_current_xact_id()::text::bigint
from (select array_agg(id) as ids from public.tenants) t, generate_series(1, {rows}) as n;
alter table campaigns.leads enable trigger user;
"""
_KEYS = "select tenant_id, id from campaigns.leads order by id"
_CHANGE = """
update campaigns.leads as lead set first_name = %s
from unnest(%s::uuid[], %s::uuid[]) as changed (tenant_id, id)
where lead.tenant_id = changed.tenant_id and lead.id = changed.id
"""

Keys = list[tuple[uuid.UUID, uuid.UUID]]


def measure_full(rounds: int = 5) -> list[dict[str, Any]]:
    """Rows per second into a fresh file, of the sample data at the scale of the settings.

    ``reference`` is a bare DuckDB with its own defaults, which makes a table of the same columns
    of each attached table. The two take turns; the ratio is the median of the turns' ratios.
    """
    current = settings.load()
    with scratch(current) as database, tempfile.TemporaryDirectory(dir=current.home) as folder:
        load.ensure(database, current.scale, seed=1)
        descriptions = describe(database)
        file = Path(folder) / "measured.duckdb"
        rows = _ours(file, database, descriptions)[0]
        turns = [
            (_ours(file, database, descriptions)[1], _bare(file, database, descriptions))
            for _ in range(rounds)
        ]
    ours, reference = (statistics.median(seconds) for seconds in zip(*turns, strict=True))
    told = "; ".join(f"{a:.2f} against {b:.2f}" for a, b in turns)
    return [
        {
            "name": f"extract_full ({current.scale}), rows/s",
            "ours": round(rows / ours),
            "reference": round(rows / reference),
            "ratio": statistics.median(b / a for a, b in turns),
            "goal": ">= 0.9",
            "detail": f"{rows} rows; seconds {told}",
        }
    ]


def _ours(file: Path, database: Database, descriptions: list[Description]) -> tuple[int, float]:
    file.unlink(missing_ok=True)
    began = time.monotonic()
    with Warehouse(database=str(file)).open(holder="benchmark extract_full") as connection:
        synced = extraction.sync(connection, database, descriptions)
    return sum(done.rows for done in synced), time.monotonic() - began


def _bare(file: Path, database: Database, descriptions: list[Description]) -> float:
    file.unlink(missing_ok=True)
    began = time.monotonic()
    with duckdb.connect(file) as connection:
        connection.execute(f"load '{transactions.extension()}'")
        attached = Literal(database.conninfo(READER)).as_string()
        connection.execute(f"attach {attached} as pg (type postgres, read_only)")
        for description in descriptions:
            connection.execute(
                f"create table {description.table.name} as "  # noqa: S608 - names of our own
                f"select {description.names.as_string()} from pg.{description.table.label}"
            )
    return time.monotonic() - began


def measure_increment(rounds: int = 7) -> list[dict[str, Any]]:
    """Milliseconds of a sync of 1,000 changed leads among 2,000,000 against among 100,000.

    Together: the newest ones; scattered: drawn from all. Medians over rounds that alternate
    between the tables.
    """
    current = settings.load()
    with ExitStack() as stack:
        pair = [stack.enter_context(_mirrored(current, rows)) for rows in (LARGE, SMALL)]
        return [
            _compared("together, ms", "<= 1.3", _newest, pair, rounds),
            _compared("scattered, ms", "<= 3.0", _drawn, pair, rounds),
        ]


class _Mirrored:
    """A database of many leads with a warehouse that has them all."""

    def __init__(self, database: Database, warehouse: Warehouse) -> None:
        self.database, self.warehouse = database, warehouse
        self.descriptions = describe(database, [LEADS])
        with database.connect() as connection:
            self.keys: Keys = connection.execute(_KEYS).fetchall()
        self.sync()

    def change(self, keys: Keys) -> None:
        tenants, leads = zip(*keys, strict=True)
        with self.database.connect("lab_platform") as connection:
            connection.execute(_CHANGE, [uuid.uuid4().hex, list(tenants), list(leads)])

    def sync(self) -> tuple[float, float, int]:
        """Milliseconds of the sync and of the table's own part, and the rows that came."""
        began = time.monotonic()
        with self.warehouse.open(holder="benchmark extract_increment") as connection:
            (done,) = extraction.sync(connection, self.database, self.descriptions)
        return (time.monotonic() - began) * 1000, done.seconds * 1000, done.rows


@contextmanager
def _mirrored(current: Settings, rows: int) -> Iterator[_Mirrored]:
    with scratch(current) as database, tempfile.TemporaryDirectory(dir=current.home) as folder:
        with database.connect(autocommit=True) as connection:
            connection.execute(_FILL.format(rows=rows).encode())
            connection.execute("vacuum (analyze) campaigns.leads")
            connection.execute("checkpoint")
        yield _Mirrored(database, Warehouse(database=f"{folder}/warehouse.duckdb"))


def _newest(keys: Keys, turn: int) -> Keys:
    return keys[-CHANGED * (turn + 1) :][:CHANGED]


def _drawn(keys: Keys, turn: int) -> Keys:
    return random.Random(turn).sample(keys, CHANGED)


def _compared(
    name: str,
    goal: str,
    chosen: Callable[[Keys, int], Keys],
    pair: list[_Mirrored],
    rounds: int,
) -> dict[str, Any]:
    costs: dict[_Mirrored, list[tuple[float, float]]] = {mirrored: [] for mirrored in pair}
    for turn in range(rounds + 1):
        for mirrored in pair if turn % 2 else reversed(pair):
            mirrored.change(chosen(mirrored.keys, turn))
            whole, own, rows = mirrored.sync()
            assert rows == CHANGED, f"{rows} rows came of {CHANGED}"
            if turn:  # the first one warms up
                costs[mirrored].append((whole, own))
    (ours, own), (reference, own_reference) = (
        map(statistics.median, zip(*costs[mirrored], strict=True)) for mirrored in pair
    )
    return {
        "name": f"extract_increment, {name}",
        "ours": round(ours, 1),
        "reference": round(reference, 1),
        "ratio": ours / reference,
        "goal": goal,
        "detail": f"{LARGE:,} rows against {SMALL:,}; the table's own part "
        f"{own:.1f} against {own_reference:.1f} ms, ratio {own / own_reference:.2f}",
    }

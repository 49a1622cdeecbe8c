"""Extraction: a full one against DuckDB alone, an increment in a large table against a small one.

An increment's cost is the wall time of the whole sync of one table, from opening the warehouse to
having closed it; ``detail`` gives the part alone that depends on the table.
"""

import random
import shutil
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import duckdb
from psycopg.sql import Literal

from oltp_lab import settings
from oltp_lab.errors import LabError
from oltp_lab.resources.warehouse import Warehouse
from oltp_lab.sample_data import load
from oltp_lab.servers import Database
from oltp_lab.settings import Settings
from oltp_lab.warehouse import deltas, extraction, transactions
from oltp_lab.warehouse.tables import READER, Description, TableSpec, describe
from oltp_lab_tests.benchmarks._scratch import scratch

SMALL, LARGE = 100_000, 10_000_000
CHANGED = 1_000
BYTES_A_ROW = 600
"""On disk, in both databases together and while it is filled."""
LEADS = TableSpec("campaigns", "leads")

# Rows as the triggers would leave them, made without them and without a log to recover them from;
# room on each page, as in a table that has lived, so that an updated row stays where it is.
_FILL = """
alter table campaigns.leads set (fillfactor = 90);
alter table campaigns.leads disable trigger user;
alter table campaigns.leads drop constraint leads_email_norm_key;
alter table campaigns.leads drop constraint leads_pkey cascade;
drop index campaigns.leads_status_idx;
alter table campaigns.leads set unlogged;
insert into public.tenants (name) select 'tenant ' || n from generate_series(1, 100) as n;
insert into campaigns.leads (tenant_id, email, first_name, change_xid)
select t.ids[1 + n % 100], n || '@one.example', 'Name', pg_current_xact_id()::text::bigint
from (select array_agg(id) as ids from public.tenants) t, generate_series(1, {rows}) as n;
alter table campaigns.leads add constraint leads_pkey primary key (tenant_id, id);
alter table campaigns.leads enable trigger user;
"""
_KEYS = """
select lead.tenant_id, lead.id
from unnest(%s::integer[]) with ordinality as wanted (n, place)
join campaigns.leads as lead on lead.email = n || '@one.example'
order by place
"""
_CHANGE = """
update campaigns.leads as lead set first_name = %s
from unnest(%s::uuid[], %s::uuid[]) as changed (tenant_id, id)
where lead.tenant_id = changed.tenant_id and lead.id = changed.id
"""

LOGGED = ("tenant_id", "id", "created_at")
"""Columns of leads by which the marts tell what they touch."""

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
        rows = synced_anew(file, database, descriptions)[0]
        turns = [
            (synced_anew(file, database, descriptions)[1], bare(file, database, descriptions))
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
            "goal": ">= 0.95",
            "detail": f"{rows} rows; seconds {told}",
        }
    ]


def synced_anew(
    file: Path, database: Database, descriptions: list[Description]
) -> tuple[int, float]:
    """Rows and seconds of a first sync into a new file."""
    file.unlink(missing_ok=True)
    began = time.monotonic()
    with Warehouse(database=str(file)).open(holder="benchmark extract_full") as connection:
        synced = extraction.sync(connection, database, descriptions)
    return sum(done.rows for done in synced), time.monotonic() - began


def bare(file: Path, database: Database, descriptions: list[Description]) -> float:
    """Seconds that DuckDB alone takes to make tables of the same columns in a new file."""
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
    """Milliseconds of a sync of 1,000 changed leads among 10,000,000 against among 100,000.

    Together: the newest ones; scattered: drawn from all. Medians over rounds that alternate
    between the tables. Each sync keeps a log of its changes, as where there are marts.
    """
    current = settings.load()
    needed, free = LARGE * BYTES_A_ROW, shutil.disk_usage(current.home).free
    if free < needed:
        raise LabError(
            f"{LARGE:,} rows take {needed >> 20:,} MiB on disk, {current.home} has {free >> 20:,}: "
            "free some space or set OLTP_LAB_HOME to a folder on another disk"
        )
    with ExitStack() as stack:
        pair = [stack.enter_context(_mirrored(current, rows, rounds)) for rows in (LARGE, SMALL)]
        return [
            _compared("together, ms", "<= 1.3", "newest", pair, rounds),
            _compared("scattered, ms", "<= 3.0", "drawn", pair, rounds),
        ]


class _Mirrored:
    """A database of many leads with a warehouse that has them all."""

    def __init__(self, database: Database, warehouse: Warehouse, rows: int, turns: int) -> None:
        self.database, self.warehouse = database, warehouse
        self.descriptions = describe(database, [LEADS])
        many = CHANGED * turns
        chosen = {
            "newest": range(rows - many + 1, rows + 1),
            "drawn": random.Random(1).sample(range(1, rows + 1), many),
        }
        with database.connect() as connection:
            self.keys: dict[str, Keys] = {
                name: connection.execute(_KEYS, [list(numbers)]).fetchall()
                for name, numbers in chosen.items()
            }
        self.sync()
        with warehouse.open(holder="benchmark extract_increment") as opened:
            deltas.begin_log(opened, LEADS.name, LOGGED)

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
def _mirrored(current: Settings, rows: int, rounds: int) -> Iterator[_Mirrored]:
    with scratch(current) as database, tempfile.TemporaryDirectory(dir=current.home) as folder:
        with database.connect(autocommit=True) as connection:
            connection.execute(_FILL.format(rows=rows).encode())
            connection.execute("vacuum (analyze) campaigns.leads")
            connection.execute("checkpoint")
        warehouse = Warehouse(database=f"{folder}/warehouse.duckdb")
        yield _Mirrored(database, warehouse, rows, turns=rounds + 1)


def _compared(
    name: str,
    goal: str,
    chosen: str,
    pair: list[_Mirrored],
    rounds: int,
) -> dict[str, Any]:
    costs: dict[_Mirrored, list[tuple[float, float]]] = {mirrored: [] for mirrored in pair}
    for turn in range(rounds + 1):
        for mirrored in pair if turn % 2 else reversed(pair):
            mirrored.change(mirrored.keys[chosen][CHANGED * turn :][:CHANGED])
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

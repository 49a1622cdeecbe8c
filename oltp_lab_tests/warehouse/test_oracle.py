"""The loss oracle: while writers do all that transactions can do, syncs go on; then nothing is
lost, phantom, doubled or stale. The cursor over updated_at, run beside it, must lose rows.
"""

import random
import threading
import time
import uuid
from dataclasses import dataclass, field

import psycopg
from duckdb import DuckDBPyConnection

from oltp_lab.servers import Database
from oltp_lab.warehouse import extraction
from oltp_lab.warehouse.tables import describe
from oltp_lab_tests.warehouse.business import LEADS, assert_equal, sync

WRITERS = 4
SECONDS = 6.0

_INSERT = """
insert into campaigns.leads (tenant_id, id, email, first_name, updated_at)
values (%s, %s, %s, %s, now())
"""
_UPDATE = """
update campaigns.leads set first_name = %s, updated_at = now() where tenant_id = %s and id = %s
"""
_DELETE = "delete from campaigns.leads where tenant_id = %s and id = %s"

Ledger = dict[uuid.UUID, str]


@dataclass
class Writer:
    """Writes leads of one tenant; ``acknowledged`` is what the server said is committed."""

    database: Database
    tenant: uuid.UUID
    seed: int
    acknowledged: Ledger = field(default_factory=dict)
    transactions: int = 0

    def run(self, until: float) -> None:
        """Transactions of one to six changes, one in three of them long, until then."""
        choice = random.Random(self.seed)
        with self.database.connect("lab_platform") as connection:
            while time.monotonic() < until:
                wanted = dict(self.acknowledged)
                connection.execute("set local lock_timeout = '5s'")  # so that it has begun
                for _ in range(choice.randint(1, 6)):
                    self._change(connection, choice, wanted)
                    if choice.random() < 0.1:
                        time.sleep(choice.random() * 0.8)
                if choice.random() < 0.2:
                    connection.rollback()
                else:
                    connection.commit()
                    self.acknowledged = wanted
                self.transactions += 1

    def _change(
        self, connection: psycopg.Connection, choice: random.Random, wanted: Ledger
    ) -> None:
        """One change, at times inside a savepoint that is kept or undone."""
        if choice.random() < 0.3:
            undone = choice.random() < 0.5
            with connection.transaction(force_rollback=undone):
                self._write(connection, choice, dict(wanted) if undone else wanted)
        else:
            self._write(connection, choice, wanted)

    def _write(self, connection: psycopg.Connection, choice: random.Random, wanted: Ledger) -> None:
        name = f"{self.seed}-{choice.getrandbits(40):x}"
        kind = choice.choice(("insert", "insert", "update", "update", "delete", "reinsert"))
        lead = choice.choice(list(wanted)) if wanted and kind != "insert" else uuid.uuid4()
        if lead in wanted and kind == "update":
            connection.execute(_UPDATE, [name, self.tenant, lead])
        elif lead in wanted:
            connection.execute(_DELETE, [self.tenant, lead])
            del wanted[lead]
        if kind in {"insert", "reinsert"} and lead not in wanted:
            address = f"{lead}@{name}.example"
            connection.execute(_INSERT, [self.tenant, lead, address, name])
        if kind != "delete" and (lead in wanted or kind in {"insert", "reinsert"}):
            wanted[lead] = name


@dataclass
class NaiveCursor:
    """Reads what is newer than the newest that it has seen, as most extractors do."""

    rows: Ledger = field(default_factory=dict)
    cursor: str = "-infinity"

    def sync(self, connection: psycopg.Connection) -> None:
        """One increment."""
        newer = connection.execute(
            "select id, first_name, updated_at::text from campaigns.leads "
            "where updated_at > %s::timestamptz order by updated_at",
            [self.cursor],
        )
        for lead, name, updated_at in newer:
            self.rows[lead] = name
            self.cursor = updated_at


def test_nothing_is_lost_phantom_doubled_or_stale(
    database: Database, connection: DuckDBPyConnection
) -> None:
    with database.connect("lab_platform", autocommit=True) as platform:
        tenants = platform.execute(
            "insert into public.tenants (name) select 't' from generate_series(1, %s) returning id",
            [WRITERS],
        ).fetchall()
    sync(connection, database)  # what follows comes by increments only
    writers = [Writer(database, tenant, seed) for seed, (tenant,) in enumerate(tenants)]
    naive = NaiveCursor()
    increments = _sync_while_writing(writers, connection, naive)

    truth: Ledger = {lead: name for w in writers for lead, name in w.acknowledged.items()}
    staged = connection.execute("select id, first_name from staging.leads").fetchall()
    mirrored = dict(staged)
    lost = truth.keys() - mirrored.keys()
    phantom = mirrored.keys() - truth.keys()
    stale = [lead for lead in truth.keys() & mirrored.keys() if truth[lead] != mirrored[lead]]
    missed = [lead for lead, name in truth.items() if naive.rows.get(lead) != name]

    assert increments >= 5
    assert sum(writer.transactions for writer in writers) > 100
    assert len(truth) > 50
    assert (len(lost), len(phantom), len(staged) - len(mirrored), len(stale)) == (0, 0, 0, 0)
    assert missed, "the naive cursor lost nothing: this test would not notice a loss"
    assert_equal(connection, database)


def _sync_while_writing(
    writers: list[Writer], connection: DuckDBPyConnection, naive: NaiveCursor
) -> int:
    """Sync while the writers write and once after; returns how many increments held rows."""
    database = writers[0].database
    until = time.monotonic() + SECONDS
    threads = [threading.Thread(target=writer.run, args=[until]) for writer in writers]
    for thread in threads:
        thread.start()
    increments = 0
    with database.connect("lab_platform", autocommit=True) as platform:
        descriptions = describe(database, [LEADS])
        while any(thread.is_alive() for thread in threads):
            (done,) = extraction.sync(connection, database, descriptions)
            increments += done.mode == extraction.INCREMENT
            naive.sync(platform)
        for thread in threads:
            thread.join()
        extraction.sync(connection, database, descriptions)
        naive.sync(platform)
    return increments

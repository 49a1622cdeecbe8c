"""Writers: sessions that do all that transactions can do, and note what they were acknowledged."""

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg.sql import SQL, Literal

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.servers import Database
from oltp_lab.warehouse.loss_oracle.ledger import Book, Prepared, Rows, Version

ROLE = "lab_platform"
_TABLES = ("leads", "leads", "leads", "events", "events", "campaigns")
_CHANGES = ("insert", "insert", "update", "update", "delete", "reinsert")
_LOST = (LabError, psycopg.OperationalError, psycopg.InterfaceError)
_QUIET_S = 120.0


class Gate:
    """Writers are inside for a transaction each, while the server is up.

    While ``unflushed`` nobody waits for the disk, so that a crash takes back all that was done.
    """

    def __init__(self) -> None:
        self.closing = threading.Event()
        self.openings = 1
        self._ended = False
        self.unflushed = False
        self._inside = 0
        self._changed = threading.Condition()

    @contextmanager
    def inside(self) -> Iterator[int]:
        """Waits until it is open; how often it was opened, or 0 when it never will be again."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or not self.closing.is_set())
            self._inside += 1
        try:
            yield 0 if self._ended else self.openings
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def close(self, *, for_good: bool = False) -> None:
        """Let nobody in any more; who is inside goes on."""
        with self._changed:
            self._ended = for_good
            self.closing.set()
            self._changed.notify_all()

    def wait_until_empty(self) -> None:
        """Raises LabError when somebody does not come out."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._inside, _QUIET_S):
                raise LabError(f"a writer of the loss oracle hangs for more than {_QUIET_S:g} s")

    def open(self) -> None:
        """Let them in."""
        with self._changed:
            self.openings += 1
            self.closing.clear()
            self._changed.notify_all()


@dataclass
class Writer:
    """Writes the rows of tenants of its own; ``done`` counts what, by kind."""

    database: Database
    gate: Gate
    number: int
    tenants: int
    longest_s: float
    purge_batch: int
    books: list[Book] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    failure: BaseException | None = None

    def __post_init__(self) -> None:
        self.choice = random.Random(self.number)

    def run(self) -> None:
        """Transactions, until the gate is closed for good."""
        connection, opening = None, 0
        try:
            while True:
                with self.gate.inside() as current:
                    if not current:
                        break
                    try:
                        if connection is None or opening != current:
                            if connection:
                                connection.close()
                            connection, opening = self._connect(), current
                        self._turn(connection)
                    except _LOST:
                        if not self.gate.closing.is_set():
                            raise
                        self.done["cut off by a crash"] += 1
        except Exception as error:  # noqa: BLE001 - told by whom is waiting for the thread
            self.failure = error
        finally:
            if connection:
                connection.close()

    def resolve(self, administrator: psycopg.Connection) -> None:
        """After a crash: ask what became of the transactions that were in doubt."""
        queries = _queries("server")
        prepared = {gid for (gid,) in administrator.execute(queries["prepared"])}

        def committed(xid: int) -> bool:
            outcome = administrator.execute(queries["outcome"], {"xid": xid}).fetchone()
            return outcome == ("committed",)

        for book in self.books:
            self.done["in doubt after a crash"] += book.resolve(committed, prepared)
            self.done["prepared across a crash"] += book.prepared is not None
        self._forget()

    def finish(self) -> None:
        """Decide what is prepared, and end the purges."""
        with self._connect() as connection:
            for book in self.books:
                if book.prepared:
                    self._decide(connection, book, book.prepared)
                while book.closing and book.rows:
                    self._purge(connection, book)
        self._forget()

    def be_overtaken(self, meanwhile: Callable[[], None]) -> None:
        """Found a tenant, and commit after one who began later, and after ``meanwhile``."""
        with self._connect() as slow, self._connect() as quick:
            book, version = self._founding(slow)
            self._found(quick)
            meanwhile()
            self._commit(slow, book, version, durable=True)
        self.done["transactions overtaken"] += 1

    def _connect(self) -> psycopg.Connection:
        durable = "-c synchronous_commit=on"  # unless a transaction says otherwise
        return self.database.connect(ROLE, autocommit=True, options=durable)

    def _forget(self) -> None:
        """Tenants that are gone, or never came."""
        self.books = [book for book in self.books if book.rows or book.prepared]

    def _turn(self, connection: psycopg.Connection) -> None:
        if self.gate.unflushed:
            free = [book for book in self.books if not book.closing and not book.prepared]
            if free:
                self._transact(connection, self.choice.choice(free))
            self.gate.closing.wait(0.01)
            return
        if len(self.books) < self.tenants:
            self._found(connection)
            return
        book = self.choice.choice(self.books)
        if book.closing:
            self._purge(connection, book)
            self._forget()
        elif book.prepared:
            if self.choice.random() < 0.2:
                self._decide(connection, book, book.prepared)
        elif len(book.rows) > 2 * self.purge_batch and self.choice.random() < 0.05:
            book.closing = True
            self._execute(connection, "close", book)
        else:
            self._transact(connection, book)

    def _found(self, connection: psycopg.Connection) -> None:
        """A tenant more."""
        book, version = self._founding(connection)
        self._commit(connection, book, version, durable=True)
        self.done["tenants founded"] += 1

    def _founding(self, connection: psycopg.Connection) -> tuple[Book, Version]:
        """A tenant, in a transaction that is not yet committed."""
        book, value = Book(), self._value()
        keys = {
            "public.tenants": book.tenant,
            "campaigns.campaigns": book.campaign,
            "campaigns.leads": book.lead,
        }
        self.books.append(book)
        xid = self._begin(connection, durable=True)
        self._execute(connection, "found", book, value=value)
        return book, Version(xid, {(table, str(key)): value for table, key in keys.items()})

    def _purge(self, connection: psycopg.Connection, book: Book) -> None:
        """A batch; what it removed the ledger does not know before the last one."""
        self._execute(connection, "close", book)  # which a crash may have undone
        answer = self._execute(connection, "purge", book, batch=self.purge_batch).fetchone()
        self.done["batches of a purge"] += 1
        if answer == (True,):
            book.settle({})
            self.done["tenants purged"] += 1

    def _decide(self, connection: psycopg.Connection, book: Book, prepared: Prepared) -> None:
        kept = self.choice.random() < 0.6
        verb = SQL("commit prepared {}" if kept else "rollback prepared {}")
        connection.execute(verb.format(Literal(prepared.gid)))
        if kept:
            book.settle(prepared.rows)
        book.prepared = None
        self.done["commit prepared" if kept else "rollback prepared"] += 1

    def _transact(self, connection: psycopg.Connection, book: Book) -> None:
        """One to six changes, some in a savepoint that is kept or undone, some before a pause."""
        wanted = dict(book.rows)
        durable = self.choice.random() < 0.6 and not self.gate.unflushed
        xid = self._begin(connection, durable=durable)
        long = False
        for _ in range(self.choice.randint(1, 6)):
            if self.choice.random() < 0.25:
                undone = self.choice.random() < 0.5
                connection.execute("savepoint inner_one")
                self._change(connection, book, dict(wanted) if undone else wanted)
                connection.execute(f"{'rollback to' if undone else 'release'} savepoint inner_one")
                self.done["savepoints undone" if undone else "savepoints kept"] += 1
            else:
                self._change(connection, book, wanted)
            if self.choice.random() < 0.05:
                long = True
                self.gate.closing.wait(self.choice.random() * self.longest_s)
        self.done["long transactions"] += long
        self._end(connection, book, Version(xid, wanted), durable)

    def _end(
        self, connection: psycopg.Connection, book: Book, version: Version, durable: bool
    ) -> None:
        weights = (80, 20, 0) if self.gate.unflushed else (75, 18, 7)
        (end,) = self.choice.choices(("commit", "rollback", "prepare"), weights)
        if end == "commit":
            self._commit(connection, book, version, durable=durable)
            self.done["commits" if durable else "commits that did not wait for the disk"] += 1
        elif end == "rollback":
            connection.execute("rollback")
            self.done["rollbacks"] += 1
        else:
            assert version.xid
            gid = f"{self.number}-{version.xid}-{uuid.uuid4()}"
            book.prepared = Prepared(gid, version.xid, version.rows)
            connection.execute(SQL("prepare transaction {}").format(Literal(gid)))
            self.done["prepared"] += 1

    def _begin(self, connection: psycopg.Connection, *, durable: bool) -> int:
        """Returns its id."""
        connection.execute(_queries("writes")["begin"])
        setting = {"synchronous_commit": "on" if durable else "off"}
        found = connection.execute(_queries("writes")["durability"], setting).fetchone()
        assert found
        return found[1]

    def _commit(
        self, connection: psycopg.Connection, book: Book, version: Version, *, durable: bool
    ) -> None:
        book.versions.append(version)  # in doubt from here on
        connection.execute("commit")
        if durable:
            book.settle(version.rows)

    def _change(self, connection: psycopg.Connection, book: Book, wanted: Rows) -> None:
        name, kind = self.choice.choice(_TABLES), self.choice.choice(_CHANGES)
        label, value = f"campaigns.{name}", self._value()
        present = [key for table, key in wanted if table == label]
        key = self.choice.choice(present) if present and kind != "insert" else str(uuid.uuid4())
        known = (label, key) in wanted
        rooted = key in {str(book.campaign), str(book.lead)}
        if known and (kind == "update" or rooted):
            self._execute(connection, f"update_{name}", book, id=key, value=value)
            wanted[label, key] = value
            return
        if known:
            self._execute(connection, f"delete_{name}", book, id=key)
            del wanted[label, key]
        if kind in {"insert", "reinsert"}:
            self._execute(connection, f"insert_{name}", book, id=key, value=value)
            wanted[label, key] = value

    def _execute(
        self, connection: psycopg.Connection, name: str, book: Book, **values: str | int
    ) -> psycopg.Cursor:
        known = {"tenant": book.tenant, "campaign": book.campaign, "step": book.step}
        return connection.execute(_queries("writes")[name], {**known, "lead": book.lead, **values})

    def _value(self) -> str:
        return str(self.choice.randrange(10**8))


def _queries(file: str) -> dict:
    return sql.queries(f"warehouse/loss_oracle/{file}.sql")

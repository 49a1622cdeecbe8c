"""Asking one query of two sessions in one snapshot: the application's and the witness's."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString, cast

import psycopg
from psycopg import sql as pg

from oltp_lab import sql
from oltp_lab.isolation.oracle.grammar import Query
from oltp_lab.isolation.oracle.world import World
from oltp_lab.isolation.subject import Subject

FETCHED = 20_000
"""Rows of each answer that are looked at for a difference."""
_SESSION = "isolation/oracle/session.sql"
_TIMEOUT = psycopg.errors.QueryCanceled.sqlstate


@dataclass(frozen=True)
class Answer:
    """How many rows, and what equal multisets of rows share; or the SQLSTATE of an error."""

    rows: int = 0
    digest: str = ""
    error: str | None = None

    def __str__(self) -> str:
        return f"error {self.error}" if self.error else f"{self.rows} row(s)"


@dataclass(frozen=True)
class Comparison:
    """What the application saw, and what it should have."""

    seen: Answer
    expected: Answer

    @property
    def dropped(self) -> bool:
        """Whether nothing can be said: it took too long, or is an error either way."""
        errors = {self.seen.error, self.expected.error}
        return _TIMEOUT in errors or (len(errors) == 1 and None not in errors)

    @property
    def differs(self) -> bool:
        return not self.dropped and self.seen != self.expected


class Comparing:
    """Both sessions, in read-only transactions that are rolled back.

    ``context`` is the tenant that the application has entered, None where it has none.
    """

    context: str | None = None

    def __init__(
        self,
        subject: Subject,
        application: psycopg.Connection,
        witness: psycopg.Connection,
        timeout_ms: int,
    ) -> None:
        self._subject, self._timeout = subject, str(timeout_ms)
        self._application, self._witness = application, witness
        for session in (application, witness):
            session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            session.read_only = True

    def look(self) -> psycopg.Connection:
        """The witness, who fails where it would not see every row."""
        if not self._subject.is_the_labs:
            self._witness.execute(sql.queries(_SESSION)["see_everything"])
        return self._witness

    def begin(self, world: World, tenant: str | None) -> None:
        """Take a new snapshot, in the context of a tenant or of none."""
        self.leave()
        self._world, self._everything = world, world.everything()
        queries = sql.queries(_SESSION)
        (snapshot,) = self.look().execute(queries["share_snapshot"]).fetchone() or ("",)
        self._application.execute(
            pg.SQL(queries["join_snapshot"]).format(snapshot=pg.Literal(snapshot))
        )
        for session in (self._application, self._witness):
            session.execute(queries["pin"], {"timeout_ms": self._timeout})
        self.enter(tenant)

    def enter(self, tenant: str | None) -> None:
        """Change the context."""
        self.context, self._filtered = tenant, self._world.filtered(tenant)
        self._application.execute(self._subject.enter(tenant))

    def leave(self) -> None:
        """End the transactions."""
        self._application.rollback()
        self._witness.rollback()

    def compare(self, query: Query) -> Comparison:
        """Ask it under row level security, and with filters."""
        return Comparison(
            self._ask(self._application, query, self._everything),
            self._ask(self._witness, query, self._filtered),
        )

    def unfiltered(self, query: Query) -> Answer:
        """Ask it as if there were neither."""
        return self._ask(self._witness, query, self._everything)

    def statement(self, query: Query) -> str:
        """It, as the application says it."""
        text = composed(query.text, self._everything).as_string(self._application)
        return " ".join(text.split())

    def difference(self, query: Query, shown: int) -> list[str]:
        """How many rows each answer has, and a few of those that only one has."""
        compared = self.compare(query)
        told = [f"row level security gives {compared.seen}, the filter {compared.expected}"]
        if compared.seen.error or compared.expected.error:
            return told
        seen = self._fetch(self._application, query, self._everything)
        expected = self._fetch(self._witness, query, self._filtered)
        ends = [rows[-1] for rows in (seen, expected) if len(rows) == FETCHED]
        ours, theirs = (
            Counter(row for row in rows if not ends or row <= min(ends))
            for rows in (seen, expected)
        )
        for what, rows in (("leaked", ours - theirs), ("hidden", theirs - ours)):
            told += [f"{what} {row} x {count}" for row, count in list(rows.items())[:shown]]
        return told

    def _ask(
        self, session: psycopg.Connection, query: Query, relations: Sequence[pg.Composable]
    ) -> Answer:
        digest = sql.queries(_SESSION)["digest"]
        statement = pg.SQL(digest).format(query=composed(query.text, relations))
        try:
            row = session.execute(statement, prepare=False).fetchone()
        except psycopg.Error as error:
            if session.closed:
                raise
            self.begin(self._world, self.context)
            return Answer(error=error.sqlstate)
        assert row
        return Answer(*row)

    def _fetch(
        self, session: psycopg.Connection, query: Query, relations: Sequence[pg.Composable]
    ) -> list[str]:
        statement = pg.SQL(sql.queries(_SESSION)["rows"]).format(
            query=composed(query.text, relations), limit=pg.Literal(FETCHED)
        )
        return [row for (row,) in session.execute(statement, prepare=False).fetchall()]


def composed(text: str, relations: Sequence[pg.Composable]) -> pg.Composed:
    """A query of the grammar, whose identifiers and literals are quoted, with its tables in it."""
    return pg.SQL(cast(LiteralString, text)).format(*relations)

"""One client of isolation under load: what it states, and what it asserts of every statement.

In a context a statement returns rows of that tenant and of no other, and the tenant and the user
in context are those that were entered. Without one it returns nothing, and nobody is in context.
"""

import random
import re
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import PurePath
from typing import Any, LiteralString, cast
from uuid import UUID

import psycopg
from psycopg import errors
from psycopg import sql as pg
from psycopg.pq import TransactionStatus

from oltp_lab import sql
from oltp_lab.isolation.under_load.ways import Sessions

FOLDER = "isolation/under_load"
QUERIES = f"{FOLDER}/queries.sql"
IDLE = TransactionStatus.IDLE
ASSERTIONS = 3
"""Of each statement: whose rows it returned, which tenant is in context, and which user."""

_HEADER = re.compile(r"^-- (fails with|runs for at most): (.+)$", re.MULTILINE)
_ROWS = "rows of"
_LOST = ("08", "57")  # SQLSTATE classes of an ended session
_ROLLED_BACK = "40"  # and of a deadlock
# Of a mistake of the server's own: cancels amid row locks made 18.6 refuse a multixact with two
# updaters, seen once. It is counted, and told.
_INTERNAL = "XX"


@dataclass(frozen=True)
class Statement:
    """A file of reads/, writes/ or failures/; ``fails_with`` is the SQLSTATE it must end in."""

    name: str
    query: bytes
    fails_with: str | None
    limit: str | None


@dataclass(frozen=True)
class Tenant:
    """A tenant to act as: the users who do, and its rows to ask for, of the run's own campaign."""

    tenant_id: UUID
    campaign_id: UUID
    step_id: UUID
    users: Sequence[UUID]
    leads: Sequence[UUID]
    enrollments: Sequence[UUID]


@dataclass(frozen=True)
class Actor:
    """Who acts in a transaction. ``parameters`` name own rows, and those of an ``other`` tenant."""

    tenant_id: UUID
    user_id: UUID
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Leak:
    """An assertion that broke: of which statement, what it expected, and what was there instead."""

    statement: str
    expected: str
    seen: str

    @property
    def rows(self) -> bool:
        """Whether somebody's rows were seen, and not a context alone."""
        return self.expected.startswith(_ROWS)


@dataclass
class Tally:
    """What a client did, by the names of columns; its leaks, and who acted."""

    counted: Counter[str] = field(default_factory=Counter)
    leaks: list[Leak] = field(default_factory=list)
    actors: set[tuple[UUID, UUID]] = field(default_factory=set)

    def add(self, other: "Tally") -> None:
        self.counted += other.counted
        self.leaks += other.leaks
        self.actors |= other.actors


@dataclass(frozen=True)
class Mix:
    """What transactions are made of: their statements, how they end by weight, and how often."""

    reads: Sequence[Statement]
    writes: Sequence[Statement]
    failures: Sequence[Statement]
    endings: Mapping[str, int]
    statements: tuple[int, int]
    write_share: float
    savepoint_share: float


def statements(folder: str) -> list[Statement]:
    """Those of a folder. Unless they must fail, they say whose rows they return to whom."""
    asserted = pg.SQL(sql.queries(QUERIES)["asserted"])
    found = []
    for file in sql.files(f"{FOLDER}/{folder}"):
        text = sql.read(file)
        header = dict(_HEADER.findall(text))
        stated = pg.SQL(cast(LiteralString, text.strip()))
        fails_with = header.get("fails with")
        query = stated if fails_with else asserted.format(statement=stated)
        name = f"{folder}/{PurePath(file).stem}"
        found.append(Statement(name, query.as_bytes(), fails_with, header.get("runs for at most")))
    return found


class Actors:
    """Who is next: every user once, then tenants by Zipf's law; for many threads."""

    def __init__(self, tenants: Sequence[Tenant], skew: float) -> None:
        self._tenants = tenants
        self._weights = list(accumulate(1 / rank**skew for rank in range(1, len(tenants) + 1)))
        everybody = [(tenant, user) for tenant in tenants for user in tenant.users]
        random.shuffle(everybody)
        self._first = deque(everybody)

    def draw(self, dice: random.Random) -> Actor:
        """Somebody, with own rows and those of somebody else's tenant to aim at."""
        try:
            tenant, user = self._first.popleft()
        except IndexError:
            (tenant,) = dice.choices(self._tenants, cum_weights=self._weights)
            user = dice.choice(tenant.users)
        other = dice.choice([victim for victim in self._tenants if victim is not tenant])
        row, row_of_other = dice.randrange(len(tenant.leads)), dice.randrange(len(other.leads))
        return Actor(
            tenant.tenant_id,
            user,
            {
                "tenant": tenant.tenant_id,
                "acting_user": user,
                "campaign": tenant.campaign_id,
                "step": tenant.step_id,
                "lead": tenant.leads[row],
                "enrollment": tenant.enrollments[row],
                "other": other.tenant_id,
                "other_campaign": other.campaign_id,
                "other_step": other.step_id,
                "other_lead": other.leads[row_of_other],
                "other_enrollment": other.enrollments[row_of_other],
            },
        )


class Client:
    """Takes a turn after the other, each a transaction of somebody's on a borrowed session."""

    def __init__(self, sessions: Sessions, actors: Actors, mix: Mix, seed: str) -> None:
        self._sessions = sessions
        self._actors = actors
        self._mix = mix
        self._dice = random.Random(seed)
        self._last: UUID | None = None
        self.tally = Tally()

    def run(self, until: float) -> Tally:
        """Take turns until that ``time.monotonic()``, one at least.

        Raises psycopg.Error for what neither a failure nor a strike explains.
        """
        self._turn()
        while time.monotonic() < until:
            self._turn()
        return self.tally

    def nothing_is_left(self, connection: psycopg.Connection, actor: Actor) -> None:
        """Assert that nobody is in context, and that neither own nor others' rows are seen."""
        self._ask(connection, self._dice.choice(self._mix.reads), actor, inside=False)

    def _turn(self) -> None:
        actor, counted = self._actors.draw(self._dice), self.tally.counted
        counted["switches"] += self._last not in (None, actor.tenant_id)
        self._last = actor.tenant_id
        with self._sessions.borrow() as connection:
            for step in (self.nothing_is_left, self._transaction, self.nothing_is_left):
                if not connection.closed:
                    with self._struck(connection):
                        step(connection, actor)
            counted["reconnects"] += connection.closed

    def _transaction(self, connection: psycopg.Connection, actor: Actor) -> None:
        mix, dice = self._mix, self._dice
        self.tally.counted["transactions"] += 1
        self.tally.actors.add((actor.tenant_id, actor.user_id))
        (ending,) = dice.choices(list(mix.endings), list(mix.endings.values()))
        with connection.transaction(force_rollback=ending in ("rollback", "failure")):
            connection.execute(sql.queries(QUERIES)["enter"], actor.parameters)
            self._state_some(connection, actor)
            if dice.random() < mix.savepoint_share:
                with connection.transaction(force_rollback=True):
                    self._fail(connection, actor)
                self._state_some(connection, actor)
            if ending == "failure":
                self._fail(connection, actor)
            elif ending == "close":
                connection.close()

    def _state_some(self, connection: psycopg.Connection, actor: Actor) -> None:
        for _ in range(self._dice.randint(*self._mix.statements)):
            writes = self._dice.random() < self._mix.write_share
            statements = self._mix.writes if writes else self._mix.reads
            self._ask(connection, self._dice.choice(statements), actor)

    def _fail(self, connection: psycopg.Connection, actor: Actor) -> None:
        """State what must fail. What it is within is then rolled back."""
        failing = self._dice.choice(self._mix.failures)
        if failing.limit:
            connection.execute(sql.queries(QUERIES)["hurry"], [failing.limit])
        self.tally.counted["statements"] += 1
        self.tally.counted["assertions"] += 1
        try:
            connection.execute(failing.query, actor.parameters)
        except psycopg.Error as error:
            if error.sqlstate != failing.fails_with:
                self._broken_by(error, failing, f"an error {failing.fails_with}")
                raise
            cancelled = isinstance(error, errors.QueryCanceled)
            self.tally.counted["cancels" if cancelled else "errors"] += 1
        else:
            self._broken(failing, f"an error {failing.fails_with}", "no error")

    def _ask(
        self,
        connection: psycopg.Connection,
        statement: Statement,
        actor: Actor,
        *,
        inside: bool = True,
    ) -> None:
        """State it, and assert what it returned and who is in context."""
        tenant, user = (actor.tenant_id, actor.user_id) if inside else (None, None)
        self.tally.counted["statements"] += 1
        self.tally.counted["assertions"] += ASSERTIONS
        try:
            row = connection.execute(statement.query, actor.parameters).fetchone()
        except psycopg.Error as error:
            self._broken_by(error, statement, f"{_ROWS} {_told(tenant)}")
            raise
        assert row
        for what, expected, seen in zip(
            (_ROWS, "the tenant", "the user"),
            ([tenant] if tenant else [], tenant, user),
            row,
            strict=True,
        ):
            if seen != expected:
                self._broken(statement, f"{what} {_told(expected)}", _told(seen))

    def _broken(self, statement: Statement, expected: str, seen: str) -> None:
        self.tally.leaks.append(Leak(statement.name, expected, seen))

    def _broken_by(self, error: psycopg.Error, statement: Statement, expected: str) -> None:
        """Refused by a policy that let it reach rows which it should not even have seen."""
        if isinstance(error, errors.InsufficientPrivilege):
            self._broken(statement, expected, str(error).partition("\n")[0])

    @contextmanager
    def _struck(self, connection: psycopg.Connection) -> Iterator[None]:
        """Let a cancelled statement, a deadlock or an ended session be: strikes fall anywhere."""
        try:
            yield
        except errors.QueryCanceled:
            self.tally.counted["cancels"] += 1
        except errors.InsufficientPrivilege:
            pass  # it is among the leaks
        except (psycopg.OperationalError, psycopg.InternalError) as error:
            # Without a state psycopg was told of a session's end where it awaited something else.
            state = (error.sqlstate or _LOST[0])[:2]
            if state in _LOST:
                connection.close()
            elif state in {_ROLLED_BACK, _INTERNAL}:
                self.tally.counted["errors"] += 1
                self.tally.counted["internal_errors"] += state == _INTERNAL
            else:
                raise
        if not connection.closed and connection.info.transaction_status != IDLE:
            try:  # a strike may have fallen on the end of the transaction
                connection.rollback()
            except psycopg.Error:
                connection.close()


def _told(value: object) -> str:
    names = value if isinstance(value, list) else [value] if value else []
    return ", ".join(map(str, names)) or "nobody"

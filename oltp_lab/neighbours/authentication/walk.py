"""A walk through the service: what is allowed works, and everything else is refused.

Ada founds Acme, Ben founds Blue and is invited to Acme; Cy has no tenant and tries.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from secrets import token_urlsafe
from typing import Any
from uuid import UUID

import psycopg
from psycopg.sql import SQL, Identifier

from oltp_lab import sql
from oltp_lab.neighbours.authentication import tokens
from oltp_lab.neighbours.authentication.passwords import LONGEST, Passwords
from oltp_lab.neighbours.authentication.refusals import (
    PASSWORD_UNFIT,
    WRONG,
    RefusedError,
    refusing,
)
from oltp_lab.neighbours.authentication.service import Service, Session, opened
from oltp_lab.servers import Database

DONE = "done"
NOBODY = UUID(int=0)
ATTEMPTS = 5
"""What tenancy.begin_log_in allows."""
UNKNOWN, EXPIRED, NO_SESSION, FORBIDDEN, LOCKED = "P0002", "22023", "28000", "42501", "54000"


@dataclass(frozen=True)
class Step:
    """What was tried, what has to come of it, and what came of it; ``kind`` is the check's."""

    kind: str
    part: str
    step: str
    expected: str
    got: str

    @property
    def as_expected(self) -> bool:
        return self.expected == self.got


@dataclass
class Person:
    """Somebody with an address, who keeps their password, and what the service gave them."""

    address: str
    password: str = field(default_factory=lambda: token_urlsafe(12), repr=False)
    user: UUID = NOBODY
    tenant: UUID = NOBODY
    session: Session | None = None


@dataclass
class Walk:
    """Two clients of the service, a session of the platform, and the steps taken so far."""

    service: Service
    other: Service
    platform: psycopg.Connection
    steps: list[Step] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list, repr=False)
    part: str = ""

    def __post_init__(self) -> None:
        self.ada = Person("ada@acme.example", token_urlsafe(LONGEST)[:LONGEST])
        self.ben, self.cy = Person("ben@blue.example"), Person("cy@nowhere.example")
        self.secrets += [person.password for person in (self.ada, self.ben, self.cy)]

    def allowed(self, step: str, act: Callable[[], Any], expected: object = DONE) -> Any:
        """A step that works, and (but for DONE) gives this."""
        value, refused = _outcome(act)
        got = refused or (DONE if expected == DONE else str(value))
        self.steps.append(Step("allowed", self.part, step, str(expected), got))
        return value

    def refused(self, step: str, state: str, act: Callable[[], Any]) -> None:
        """A step that is refused, with this SQLSTATE."""
        _, refused = _outcome(act)
        self.steps.append(
            Step("refused", self.part, step, str(RefusedError(state)), refused or DONE)
        )

    def unseen(self, step: str, found: object) -> None:
        """What nobody may see: found in none of these places."""
        self.steps.append(Step("unseen", self.part, step, "nowhere", str(found or "nowhere")))

    def log_in(self, person: Person, *, other: bool = False) -> Session:
        """A session, whose secret is remembered as one that must not be found."""
        session = (self.other if other else self.service).log_in(person.address, person.password)
        self.secrets.append(session.token)
        return session

    def within(self, person: Person, tenant: UUID | None = None) -> Session:
        """Their session, as it has been since they first logged in, in a tenant if one is given."""
        person.session = person.session or self.log_in(person)
        return self.service.switch(person.session, tenant) if tenant else person.session

    def invite(self, inviting: Session, person: Person, role: str) -> str:
        """The secret of an invite, likewise."""
        secret = self.service.invite(inviting, person.address, [role])
        self.secrets.append(secret)
        return secret

    def work(self, session: Session, name: str, **values: object) -> Any:
        """The value of a statement of the application, in a transaction of its own."""
        with self.service.transaction(session) as work:
            row = work.execute(_queries()[name], values).fetchone()
        return row[0] if row else None

    def by_platform(self, name: str, **values: object) -> Any:
        """The value of a statement of the platform's."""
        row = self.platform.execute(_queries()[name], values).fetchone()
        return row[0] if row else None


def take(database: Database, passwords: Passwords, kind: type[Service] = Service) -> list[Step]:
    """The steps, in an empty database that has the schema; of another ``kind`` of service."""
    with (
        opened(database, passwords, kind) as service,
        opened(database, passwords, kind) as other,
        database.connect("lab_platform", autocommit=True) as platform,
    ):
        walk = Walk(service, other, platform)
        for part in (sign_up, log_in, sessions, tenants, invitations, cross_tenant, revocation):
            walk.part = part.__name__.replace("_", " ")
            part(walk)
        walk.part = "secrets"
        secrets(walk, database)
    return walk.steps


def sign_up(walk: Walk) -> None:
    """User, tenant and ownership, or nothing."""
    service, ada = walk.service, walk.ada
    for person, tenant in ((ada, "Acme"), (walk.ben, "Blue"), (walk.cy, None)):
        found = walk.allowed(
            f"{person.address} signs up" + (f" and founds {tenant}" if tenant else ""),
            lambda person=person, tenant=tenant: service.sign_up(
                person.address, person.password, tenant
            ),
        )
        person.user, person.tenant = found or (NOBODY, NOBODY)
    again = f" {ada.address.upper()} "
    walk.refused(
        "her address signs up again", "23505", lambda: service.sign_up(again, "password", "Acne")
    )
    walk.allowed("and leaves no tenant behind", lambda: walk.by_platform("tenants"), 2)
    new = "new@acme.example"
    walk.refused(
        "a password of 73 bytes", PASSWORD_UNFIT, lambda: service.sign_up(new, "p" * (LONGEST + 1))
    )
    walk.refused(
        "one of 25 letters, 75 bytes", PASSWORD_UNFIT, lambda: service.sign_up(new, "\u20ac" * 25)
    )
    walk.refused("one of 7 letters", PASSWORD_UNFIT, lambda: service.sign_up(new, "seven77"))


def log_in(walk: Walk) -> None:
    """A wrong password, an unknown address and a locked one."""
    service, ada, ben = walk.service, walk.ada, walk.ben
    walk.allowed("Ada logs in", lambda: walk.within(ada))
    walk.refused("with another password", WRONG, lambda: service.log_in(ada.address, "password"))
    walk.refused(
        "with more than her password",
        WRONG,
        lambda: service.log_in(ada.address, ada.password + "x"),
    )
    walk.refused(
        "an address that nobody has",
        WRONG,
        lambda: service.log_in("nobody@acme.example", "password"),
    )
    for address in (ben.address, "nobody@blue.example"):
        for _ in range(ATTEMPTS):
            with suppress(RefusedError):
                service.log_in(address, "password")
        walk.refused(
            f"{address} after {ATTEMPTS} wrong ones, with the right one",
            LOCKED,
            lambda address=address: service.log_in(address, ben.password),
        )
    walk.by_platform("wait")
    walk.allowed("Ben, a quarter of an hour later", lambda: walk.within(ben))


def sessions(walk: Walk) -> None:
    """Only the secret itself is a session, until it ends."""
    service, session = walk.service, walk.log_in(walk.ada)

    def enter(session: Session) -> Session:
        return service.switch(session, walk.ada.tenant)

    walk.allowed("a session enters its user's tenant", lambda: enter(session))
    walk.refused(
        "a secret that was never given", NO_SESSION, lambda: enter(Session(tokens.drawn()))
    )
    kept = Session(tokens.digest(session.token))
    walk.refused("what the database keeps of it", NO_SESSION, lambda: enter(kept))
    service.log_out(session)
    walk.refused("after logging out", NO_SESSION, lambda: enter(session))
    late = walk.log_in(walk.ada)
    walk.by_platform("end_session", token=tokens.digest(late.token))
    walk.refused("when its time is over", NO_SESSION, lambda: enter(late))


def tenants(walk: Walk) -> None:
    """A session works in its user's tenants, whatever it names."""
    acme, blue = walk.ada.tenant, walk.ben.tenant
    ada, ben = walk.within(walk.ada, acme), walk.within(walk.ben)
    for number in range(3):
        walk.work(ada, "add_lead", email=f"lead{number}@acme.example")
    walk.allowed("Ada sees Acme's leads", lambda: walk.work(ada, "count_leads"), 3)
    walk.refused("no tenant chosen", FORBIDDEN, lambda: walk.work(ben, "count_leads"))
    walk.refused("Ben switches to Acme", FORBIDDEN, lambda: walk.service.switch(ben, acme))
    walk.refused("to a tenant that is none", FORBIDDEN, lambda: walk.service.switch(ben, NOBODY))
    ben = walk.service.switch(ben, blue)
    walk.allowed("in Blue he sees none of them", lambda: walk.work(ben, "count_leads"), 0)
    forged = replace(ben, tenant=acme)
    walk.refused("his request names Acme", FORBIDDEN, lambda: walk.work(forged, "count_leads"))
    walk.refused(
        "his statement names Acme",
        FORBIDDEN,
        lambda: walk.work(ben, "add_lead_of", email="x@acme.example", victim=acme),
    )


def invitations(walk: Walk) -> None:
    """For one address, once, for a week, from who may invite."""
    acme, service = walk.ada.tenant, walk.service
    ada, ben, cy = walk.within(walk.ada, acme), walk.within(walk.ben), walk.within(walk.cy)
    for_ben = walk.allowed("Ada invites Ben", lambda: walk.invite(ada, walk.ben, "viewer"))
    walk.refused("Cy accepts it", UNKNOWN, lambda: service.accept(cy, for_ben))
    walk.refused("Ben, a secret of his own", UNKNOWN, lambda: service.accept(ben, tokens.drawn()))
    walk.allowed("Ben accepts it", lambda: service.accept(ben, for_ben), acme)
    walk.refused("and once more", UNKNOWN, lambda: service.accept(ben, for_ben))
    ben = service.switch(ben, acme)
    walk.refused(
        "Ben, a viewer, invites Cy", FORBIDDEN, lambda: walk.invite(ben, walk.cy, "viewer")
    )
    outside = replace(cy, tenant=acme)
    walk.refused("Cy invites himself", FORBIDDEN, lambda: walk.invite(outside, walk.cy, "owner"))
    stale = walk.invite(ada, walk.cy, "member")
    walk.by_platform("expire_invites")
    walk.refused("Cy accepts after a week", EXPIRED, lambda: service.accept(cy, stale))
    fresh = walk.invite(ada, walk.cy, "member")
    walk.refused("Cy, one that was replaced", UNKNOWN, lambda: service.accept(cy, stale))
    second = walk.log_in(walk.cy, other=True)
    walk.allowed(
        "Cy accepts in two sessions at once",
        lambda: _race(lambda: service.accept(cy, fresh), lambda: walk.other.accept(second, fresh)),
        f"{DONE}; {RefusedError(UNKNOWN)}",
    )


def cross_tenant(walk: Walk) -> None:
    """One user, two tenants, with a role of their own in each."""
    acme, blue, service = walk.ada.tenant, walk.ben.tenant, walk.service
    held = "{'Acme': ['viewer'], 'Blue': ['owner']}"
    walk.allowed("Ben's tenants and roles", lambda: service.tenants(walk.within(walk.ben)), held)
    here, there = walk.within(walk.ben, blue), walk.within(walk.ben, acme)
    walk.work(here, "add_lead", email="lead@blue.example")
    walk.allowed("in Blue Ben sees its lead alone", lambda: walk.work(here, "count_leads"), 1)
    walk.allowed("in Acme those of Acme alone", lambda: walk.work(there, "count_leads"), 3)
    walk.allowed("an owner invites in Blue", lambda: walk.invite(here, walk.cy, "member"))
    walk.refused("a viewer removes nobody", FORBIDDEN, lambda: service.remove(there, walk.cy.user))


def revocation(walk: Walk) -> None:
    """What is taken away is gone with the next statement, in open transactions too."""
    acme, blue, service = walk.ada.tenant, walk.ben.tenant, walk.service
    ada, there = walk.within(walk.ada, acme), walk.within(walk.ben, acme)
    count = _queries()["count_leads"]
    with service.transaction(there) as work:
        walk.allowed("Ben reads in Acme", lambda: work.execute(count).fetchall(), [(3,)])
        walk.other.remove(ada, walk.ben.user)
        walk.refused("removed, in the same transaction", FORBIDDEN, lambda: work.execute(count))
    walk.refused("in another one", FORBIDDEN, lambda: walk.work(there, "count_leads"))
    here = walk.within(walk.ben, blue)
    walk.allowed("in Blue he goes on", lambda: walk.work(here, "count_leads"), 1)

    elsewhere, new = service.switch(walk.log_in(walk.ben), blue), token_urlsafe(12)
    walk.refused(
        "his password changed by who does not know it",
        WRONG,
        lambda: service.change_password(elsewhere, "password", new),
    )
    ended = walk.allowed(
        "his password changed", lambda: service.change_password(here, walk.ben.password, new)
    )
    walk.allowed("his one other session ended", lambda: ended, 1)
    walk.refused("one of these", NO_SESSION, lambda: walk.work(elsewhere, "count_leads"))
    walk.allowed("his own goes on", lambda: walk.work(here, "count_leads"), 1)
    walk.refused("the old password", WRONG, lambda: walk.log_in(walk.ben))
    walk.secrets.append(new)

    for status in ("active", "suspended"):
        walk.by_platform("move", tenant=blue, status=status)
    walk.allowed("Blue suspended: he reads", lambda: walk.work(here, "count_leads"), 1)
    write = "late@blue.example"
    walk.refused("and writes not", FORBIDDEN, lambda: walk.work(here, "add_lead", email=write))
    walk.by_platform("move", tenant=blue, status="deleted")
    walk.refused("Blue deleted", FORBIDDEN, lambda: walk.work(here, "count_leads"))
    cys = walk.within(walk.cy, acme)
    walk.by_platform("remove_user", user=walk.cy.user)
    walk.refused("Cy's account removed", NO_SESSION, lambda: walk.work(cys, "count_leads"))


def secrets(walk: Walk, database: Database) -> None:
    """What was secret is in no table, and what is kept of it no business of the application's."""
    found = []
    for schema, table in walk.platform.execute(_queries()["tables"]).fetchall():
        looks = SQL(_queries()["holds"]).format(table=Identifier(schema, table))
        if walk.platform.execute(looks, {"secrets": walk.secrets}).fetchone():
            found.append(f"{schema}.{table}")
    walk.unseen("passwords, tokens and secrets of invites, in any table", ", ".join(found))
    for role in ("lab_app", "lab_analytics"):
        with database.connect(role) as session:
            readable = session.execute(_queries()["readable_secrets"]).fetchall()
        walk.unseen(f"hashes and digests, by {role}", ", ".join(name for (name,) in readable))


def _outcome(act: Callable[[], Any]) -> tuple[Any, str | None]:
    """What it gives, or what it is refused with."""
    try:
        with refusing():
            return act(), None
    except RefusedError as refused:
        return None, str(refused)


def _race(*acts: Callable[[], Any]) -> str:
    """What became of acts that began at once."""
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> str:
        barrier.wait(timeout=30)
        return _outcome(act)[1] or DONE

    with ThreadPoolExecutor(len(acts)) as pool:
        return "; ".join(sorted(pool.map(run, acts)))


def _queries() -> dict[str, Any]:
    return sql.queries("neighbours/authentication/walk.sql")

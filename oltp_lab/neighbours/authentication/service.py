"""The service that signs up and in, and lets a session's user work in one tenant at a time."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from oltp_lab import sql
from oltp_lab.neighbours.authentication import tokens
from oltp_lab.neighbours.authentication.passwords import Passwords
from oltp_lab.neighbours.authentication.refusals import WRONG, RefusedError, refusing
from oltp_lab.servers import Database


@dataclass(frozen=True)
class Session:
    """What a client keeps and shows: a secret, and a tenant, which is never believed."""

    token: str = field(repr=False)
    tenant: UUID | None = None


class Service:
    """Over a session of ``lab_auth`` and one of ``lab_app``, both autocommit; for one thread.

    Whatever may not be done raises RefusedError.
    """

    def __init__(
        self, auth: psycopg.Connection, app: psycopg.Connection, passwords: Passwords
    ) -> None:
        self._auth, self._app, self._passwords = auth, app, passwords

    def sign_up(
        self, address: str, password: str, tenant_name: str | None = None
    ) -> tuple[UUID, UUID | None]:
        """A new user, and the tenant that they own if it is named."""
        kept = self._passwords.hash(password)
        return self._ask("sign_up", address=_storable(address), kept=kept, tenant_name=tenant_name)

    def log_in(self, address: str, password: str) -> Session:
        """The same answer, after the same work, for a wrong password and for an unknown address."""
        user, kept = self._ask("begin_log_in", address=_storable(address))
        if not self._passwords.match(password, kept):
            raise RefusedError(WRONG)
        session = Session(tokens.drawn())
        renewed = self._passwords.renewed(password, kept)
        self._ask("complete_log_in", session, user=user, kept=kept, renewed=renewed)
        return session

    def log_out(self, session: Session) -> None:
        self._ask("close_session", session)

    def change_password(self, session: Session, old: str, new: str) -> int:
        """How many other sessions of the user this ended."""
        kept = self._ask("begin_change", session)[0]
        if not self._passwords.match(old, kept):
            raise RefusedError(WRONG)
        return self._ask("change_password", session, kept=kept, new=self._passwords.hash(new))[0]

    def tenants(self, session: Session) -> dict[str, list[str]]:
        """Names of the user's tenants, and their roles there."""
        return self._ask("tenants", session)[0]

    def switch(self, session: Session, tenant: UUID) -> Session:
        """The session in one of its user's tenants."""
        switched = replace(session, tenant=tenant)
        self.admit(switched)
        return switched

    def invite(self, session: Session, address: str, roles: Sequence[str]) -> str:
        """The secret to be mailed to the address."""
        secret = tokens.drawn()
        asked = {"address": _storable(address), "roles": list(roles)}
        self._ask("invite", session, secret=tokens.digest(secret), **asked)
        return secret

    def accept(self, session: Session, secret: str) -> UUID:
        """The tenant that the session's user has joined."""
        return self._ask("accept_invite", session, secret=tokens.digest(secret))[0]

    def remove(self, session: Session, member: UUID) -> None:
        """End a membership in the session's tenant."""
        self._ask("remove_member", session, member=member)

    def admit(self, session: Session) -> tuple[UUID, list[str]]:
        """The session's user, and their roles in its tenant, as of now."""
        return self._ask("admit", session)

    @contextmanager
    def transaction(self, session: Session) -> Iterator["Work"]:
        """A transaction of the application in the session's tenant."""
        with self._app.transaction():
            yield Work(self, self._app, session)

    def _ask(self, name: str, session: Session | None = None, **values: Any) -> Any:
        if session:
            values |= {"token": tokens.digest(session.token), "tenant": session.tenant}
        with refusing():
            return self._auth.execute(_queries()[name], values).fetchone()


@dataclass(frozen=True)
class Work:
    """A transaction whose every statement is admitted anew, so that who is removed is out."""

    service: Service
    app: psycopg.Connection
    session: Session

    def execute(
        self, query: LiteralString, values: Mapping[str, Any] | None = None
    ) -> psycopg.Cursor:
        """Run a statement in the session's tenant; ``tenant`` is among its values."""
        user, _ = self.service.admit(self.session)
        within = {"tenant": self.session.tenant, "user": user}
        self.app.execute(_queries()["enter"], within)
        return self.app.execute(query, {**(values or {}), "tenant": self.session.tenant})


@contextmanager
def opened(
    database: Database, passwords: Passwords, kind: type[Service] = Service
) -> Iterator[Service]:
    """A service with sessions of its own."""
    with (
        database.connect("lab_auth", autocommit=True) as auth,
        database.connect("lab_app", autocommit=True) as app,
    ):
        yield kind(auth, app, passwords)


def _storable(address: str) -> str:
    """What PostgreSQL has no text for is nobody's address, and no error either."""
    return address.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _queries() -> dict[str, LiteralString]:
    return sql.queries("neighbours/authentication/service.sql")

"""The database whose isolation is tested: the lab's own, or one given by URL."""

import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

import psycopg
from psycopg import sql as pg

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.servers import Database, given

LAB_SETTING = "nile.tenant_id"
LAB_ROLE = "lab_app"
LAB_TENANT_COLUMNS = ("tenant_id", "owner_tenant_id")
WHERE = "the database of the run config's url"

_SETTING = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)+", re.IGNORECASE)


@dataclass(frozen=True)
class Subject:
    """A database under test, and how its application is held to one tenant.

    ``tenant_columns`` are the names a tenant's column may have, beside those that
    ``tenants_by_table`` gives a table; ``setting`` is the parameter that carries the tenant,
    ``role`` the application. ``database`` is the lab's own; without it, ``options`` (libpq's) lead
    to somebody else's, where nothing is created and nothing committed.
    """

    tenant_columns: tuple[str, ...]
    tenants_by_table: Mapping[str, str]
    setting: str
    role: str
    database: Database | None
    options: Mapping[str, str]

    @property
    def is_the_labs(self) -> bool:
        return self.database is not None

    @property
    def name(self) -> str:
        """What measurements call it."""
        return "the lab" if self.database else self.options["dbname"]

    def application(self) -> psycopg.Connection:
        """A session of the application's role."""
        return self.session(self.role, logs_in=True)

    def session(self, role: str, *, logs_in: bool) -> psycopg.Connection:
        """A session as ``role``; one that does not log in is the administrator's guise.

        No statement of it takes longer than a minute, or waits longer than ten seconds for a lock;
        RESET ALL does not undo that.
        """
        if self.database and logs_in:
            return self.database.connect(role, options=_limited(self.database.options(role)))
        connection = self.administrator()
        connection.execute(pg.SQL("set role {}").format(pg.Identifier(role)))
        connection.commit()
        return connection

    def administrator(self) -> psycopg.Connection:
        """A session that reads the catalog and may act as each role, with the same limits."""
        if self.database:
            return self.database.connect(options=_limited(self.database.options()))
        return given.connect({**self.options, "options": _limited(self.options)}, WHERE)

    def witness(self) -> psycopg.Connection:
        """A session that sees every tenant's rows."""
        if self.database:
            return self.database.connect("lab_platform")
        return given.connect(self.options, WHERE)

    def enter(self, tenant: str | None, user: str | None = None) -> pg.Composed:
        """The statement that puts a tenant (and, in the lab, a user) in context."""
        if self.database:
            return pg.SQL("select lab.enter_tenant({}, {})").format(tenant, user)
        return pg.SQL("select set_config({}, {}, true)").format(self.setting, tenant or "")


def _limited(options: Mapping[str, str]) -> str:
    """What libpq's ``options`` become."""
    limits = "-c statement_timeout=60s -c lock_timeout=10s"
    return f"{options.get('options', '')} {limits}".strip()


def of_the_lab(database: Database) -> Subject:
    """The lab's own database."""
    return Subject(
        LAB_TENANT_COLUMNS, {"public.tenants": "id"}, LAB_SETTING, LAB_ROLE, database, {}
    )


def of_somebody(url: str, tenant_column: str, setting: str, role: str) -> Subject:
    """A database by its URL, whose user sees every row and may act as ``role``.

    Raises LabError when it cannot be tested so.
    """
    options = given.options(url, "the run config's url")
    if not _SETTING.fullmatch(setting):
        raise LabError(
            f"{setting!r} is no parameter of an application: set `setting` in the run config to "
            "the one that carries the tenant, such as app.tenant_id"
        )
    subject = Subject((tenant_column,), {}, setting, role, None, options)
    with closing(subject.administrator()) as session:
        _check(session, subject)
    return subject


def _check(session: psycopg.Connection, subject: Subject) -> None:
    asked = {
        "role": subject.role,
        "tenant_column": subject.tenant_columns[0],
        "setting": subject.setting,
    }
    if session.info.server_version < given.OLDEST:
        raise LabError(
            f"{WHERE} is on PostgreSQL {session.info.server_version // 10000}: "
            f"attacks need {given.OLDEST // 10000} or newer"
        )
    for query in sql.queries("isolation/subject.sql").values():
        row = session.execute(query, asked).fetchone()
        if row and row[0]:
            raise LabError(f"{row[0]} in the run config")

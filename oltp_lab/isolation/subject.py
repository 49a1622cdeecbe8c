"""The database whose isolation is tested: the lab's own, or one given by URL."""

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from oltp_lab.errors import LabError
from oltp_lab.servers import Database, given

LAB_SETTING = "nile.tenant_id"
LAB_ROLE = "lab_app"
LAB_TENANT_COLUMNS = ("tenant_id", "owner_tenant_id")


@dataclass(frozen=True)
class Subject:
    """A database under test, and how its application is held to one tenant.

    ``tenant_columns`` are the names a tenant's column may have, ``setting`` the parameter that
    carries the tenant, ``role`` the application. ``database`` is the lab's own; without it,
    ``options`` (libpq's) lead to somebody else's, where nothing is created and nothing committed.
    """

    tenant_columns: tuple[str, ...]
    setting: str
    role: str
    database: Database | None
    options: Mapping[str, str]

    @property
    def is_the_labs(self) -> bool:
        return self.database is not None

    def application(self) -> psycopg.Connection:
        """A session of the application's role."""
        if self.database:
            return self.database.connect(self.role)
        held = f"{self.options.get('options', '')} -c role={self.role}".strip()
        return given.connect({**self.options, "options": held}, WHERE)

    def witness(self) -> psycopg.Connection:
        """A session that sees every tenant's rows."""
        if self.database:
            return self.database.connect("lab_platform")
        return given.connect(self.options, WHERE)


WHERE = "the database of the run config's url"


def of_the_lab(database: Database) -> Subject:
    """The lab's own database."""
    return Subject(LAB_TENANT_COLUMNS, LAB_SETTING, LAB_ROLE, database, {})


def of_somebody(url: str, tenant_column: str, setting: str, role: str) -> Subject:
    """A database by its URL, whose user sees every row and may act as ``role``.

    Raises LabError when it cannot be tested.
    """
    if not url:
        raise LabError("there is no url of a database to test: set it in the run config")
    return Subject(
        (tenant_column,), setting, role, None, given.options(url, "the run config's url")
    )

"""A server and a database on it, as the other parts of the lab see them."""

from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from oltp_lab.servers import credentials, embedded, given
from oltp_lab.settings import Settings


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server; ``name`` is ``oltp`` or ``neighbours``.

    ``conninfo`` is the administrator's, without a database; ``version`` is like 180006;
    ``variable`` is the setting that names a given server (``None``: embedded).
    """

    name: str
    conninfo: str = field(repr=False)
    version: int
    system_identifier: str
    settings: Settings = field(repr=False, compare=False)
    variable: str | None = None
    maintenance: str = field(default="postgres", repr=False)
    cluster: embedded.Cluster | None = None
    postmaster_pid: int | None = None

    @property
    def embedded(self) -> bool:
        return self.cluster is not None

    @property
    def where(self) -> str:
        """Which server it is, for messages."""
        return f"the server of {self.variable}" if self.variable else f"the embedded {self.name}"

    def administer(self) -> psycopg.Connection:
        """An administrator's autocommit session that is tied to none of the lab's databases."""
        return Database(self, self.maintenance).connect(autocommit=True)


@dataclass(frozen=True)
class Database:
    """One database of the lab on a server."""

    server: Server
    name: str

    def connect(
        self, role: str | None = None, *, autocommit: bool = False, **kwargs: Any
    ) -> psycopg.Connection:
        """A session as ``role`` (``None``: administrator), whose statements count as busy.

        An embedded server that died meanwhile is started again.
        Raises LabError when there is no session to be had.
        """
        if self.server.cluster:
            embedded.use(self.server.cluster)
        return given.connect(self.options(role), self.server.where, autocommit=autocommit, **kwargs)

    def conninfo(self, role: str | None = None) -> str:
        """libpq's connection string for ``role`` (``None``: administrator)."""
        return make_conninfo("", **self.options(role))

    def options(self, role: str | None = None) -> dict[str, str]:
        """The same by libpq's keywords."""
        login: dict[str, str] = {}
        if role is not None:
            passwords = credentials.passwords(self.server.settings.credentials)
            login = {"user": role, "password": passwords[role]}
        server = {key: str(value) for key, value in conninfo_to_dict(self.server.conninfo).items()}
        return {**server, "dbname": self.name, **login}

    def environment(self, role: str | None = None) -> dict[str, str]:
        """The same as ``PG*`` variables, for child processes."""
        options = self.options(role)
        known = psycopg.pq.Conninfo.get_defaults()
        return {
            option.envvar.decode(): options[option.keyword.decode()]
            for option in known
            if option.envvar and option.keyword.decode() in options
        }

    def sibling(self, name: str) -> "Database":
        """Another database on the same server; it is not created."""
        return replace(self, name=name)

"""The PostgreSQL servers: embedded or given by URL, how they live, and how to reach them."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from psycopg.conninfo import make_conninfo

from oltp_lab.servers import (
    busy,
    credentials,
    databases,
    embedded,
    given,
    home,
    locks,
    processes,
    tuning,
)
from oltp_lab.servers.database import Database, Server
from oltp_lab.servers.embedded import binary
from oltp_lab.settings import Settings

__all__ = [
    "CLUSTERS", "Database", "Server", "binary", "busy", "check", "credentials", "databases",
    "locks", "neighbours", "oltp", "processes", "throwaway",
]  # fmt: skip

CLUSTERS = ("oltp", "neighbours", "throwaway")
"""The embedded ones."""

_THROWAWAY_LIMIT = 900.0
"""Seconds to wait for another run's throw-away server."""

_VARIABLES = {"oltp": "OLTP_LAB_POSTGRES_URL", "neighbours": "OLTP_LAB_NEIGHBOURS_URL"}


def oltp(settings: Settings) -> Database:
    """The database ``oltp_lab`` on the server under test; made, and the server started, if need be.

    Raises LabError when the server or the lab's folder is not fit for it.
    """
    return _database(_server(settings, "oltp"), "oltp_lab")


def neighbours(settings: Settings, name: str) -> Database:
    """The database ``oltp_lab_NAME`` on the neighbours' server, likewise."""
    return _database(_server(settings, "neighbours"), f"oltp_lab_{name}")


@contextmanager
def throwaway(settings: Settings, holder: str) -> Iterator[Database]:
    """An empty database on a new embedded server, for what must not happen to a real one.

    It is not durable, and gone after the block. There is one at a time: raises LabError naming the
    other's holder when that takes too long.
    """
    _enter(settings)
    ours = cluster(settings, "throwaway")
    with locks.held(settings, "throwaway", holder=holder, timeout=_THROWAWAY_LIMIT):
        _discard(ours)  # what a killed run left
        try:
            yield _database(_embedded(settings, "throwaway", embedded.use(ours)), "oltp_lab")
        finally:
            embedded.leave(ours)
            _discard(ours)


def _discard(ours: embedded.Cluster) -> None:
    embedded.stop(ours)
    if ours.folder.exists():
        shutil.rmtree(ours.folder)


def check(settings: Settings) -> None:
    """Ask, changing nothing, whether the lab's folder, its warehouse and the given servers are fit.

    Raises LabError when they are not.
    """
    home.check(settings)
    home.check_warehouse(settings)
    if settings.postgres_url:
        databases.exists(Database(_given(settings, "oltp"), "oltp_lab"))
    if settings.neighbours_url:
        _given(settings, "neighbours")


def cluster(settings: Settings, name: str) -> embedded.Cluster:
    """The embedded cluster of that name, one of CLUSTERS; it is not started."""
    return embedded.Cluster(settings.home / name, tuning.configuration(name))


def _database(server: Server, name: str) -> Database:
    database = Database(server, name)
    databases.create(database)
    return database


def _server(settings: Settings, name: str) -> Server:
    _enter(settings)
    if _url(settings, name):
        return _given(settings, name)
    return _embedded(settings, name, embedded.use(cluster(settings, name)))


def _url(settings: Settings, name: str) -> str | None:
    return settings.postgres_url if name == "oltp" else settings.neighbours_url


@cache
def _enter(settings: Settings) -> None:
    """What a process does once, before it uses its first server."""
    home.check(settings)
    processes.end_orphans(settings)
    processes.record_self(settings)


@cache
def _given(settings: Settings, name: str) -> Server:
    variable = _VARIABLES[name]
    options = given.options(_url(settings, name) or "", variable)
    with given.connect(options, f"the server of {variable}", autocommit=True) as session:
        given.check(session, variable)
        version, identifier = given.identity(session)
    return Server(
        name=name,
        maintenance=options.pop("dbname"),
        conninfo=make_conninfo("", **options),
        version=version,
        system_identifier=identifier,
        settings=settings,
        variable=variable,
    )


@cache
def _embedded(settings: Settings, name: str, pid: int) -> Server:
    """Another one for each time that the server was started."""
    ours = cluster(settings, name)
    options = {"host": str(ours.socket), "port": embedded.PORT, "user": embedded.ADMINISTRATOR}
    with given.connect({**options, "dbname": "postgres"}, f"the embedded {name}") as session:
        version, identifier = given.identity(session)
    return Server(
        name=name,
        conninfo=make_conninfo("", **options),
        version=version,
        system_identifier=identifier,
        settings=settings,
        cluster=ours,
        postmaster_pid=pid,
    )

"""Servers given by URL: what the lab does on them, and the one sentence when they are not fit."""

import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from oltp_lab import servers
from oltp_lab.errors import LabError
from oltp_lab.servers import databases, embedded
from oltp_lab.servers.unprivileged import Account
from oltp_lab.settings import Settings
from oltp_lab_tests.servers.helpers import LIMIT, cluster, processes_of

Url = Callable[..., str]
OLD = Path("/usr/lib/postgresql/15/bin")


def at(home: Path, url: str) -> Settings:
    return Settings(home, "smoke", postgres_url=url, neighbours_url=url)


def test_ordinary_administrator(
    tmp_path: Path, given: Url, caplog: pytest.LogCaptureFixture
) -> None:
    settings = at(tmp_path, given("maker"))
    with caplog.at_level(logging.WARNING):
        database = servers.oltp(settings)
    assert "lacks pg_monitor" in caplog.text
    assert "lacks pg_checkpoint" in caplog.text
    assert not database.server.embedded
    assert database.server.version >= 160000
    with database.connect() as session:
        assert session.info.user == "maker"
    assert servers.oltp(settings) == database, "made once, then recognised"
    copy = database.sibling("oltp_lab_copy")
    databases.create(copy, template=database)
    assert databases.exists(copy)
    databases.drop(copy)
    assert not databases.exists(copy)
    assert servers.neighbours(settings, "content").name == "oltp_lab_content"
    for used in (database, database.sibling("oltp_lab_content")):
        databases.drop(used)
    assert not processes_of(cluster(tmp_path, "oltp"))


def test_environment_is_what_libpq_reads(tmp_path: Path, given: Url) -> None:
    settings = at(tmp_path, given("maker") + "&sslmode=disable")
    database = servers.oltp(settings)
    environment = database.environment("lab_app")
    assert environment["PGSSLMODE"] == "disable"
    assert environment["PGUSER"] == "lab_app"
    assert (
        environment["PGPASSWORD"] == servers.credentials.passwords(settings.credentials)["lab_app"]
    )
    assert environment["PGDATABASE"] == "oltp_lab"
    assert settings.credentials.stat().st_mode & 0o777 == 0o600
    databases.drop(database)


def test_foreign_database_is_refused_and_untouched(tmp_path: Path, given: Url) -> None:
    with psycopg.connect(given("maker"), autocommit=True) as session:
        session.execute("create database oltp_lab")
        with pytest.raises(LabError, match=r"oltp_lab .* was not made by the lab: rename it"):
            servers.oltp(at(tmp_path, given("maker")))
        foreign = databases.Database(
            servers.neighbours(at(tmp_path, given("maker")), "content").server, "oltp_lab"
        )
        with pytest.raises(LabError, match="was not made by the lab"):
            databases.drop(foreign)
        databases.drop(foreign.sibling("oltp_lab_content"))
        session.execute("drop database oltp_lab")  # it is still there


@pytest.mark.parametrize(
    ("role", "right"), [("no_roles", "CREATEROLE"), ("no_databases", "CREATEDB")]
)
def test_missing_right(tmp_path: Path, given: Url, role: str, right: str) -> None:
    with pytest.raises(LabError, match=f"role {role} .*OLTP_LAB_POSTGRES_URL lacks {right}"):
        servers.oltp(at(tmp_path, given(role)))


def test_wrong_password_is_not_repeated(tmp_path: Path, given: Url) -> None:
    with pytest.raises(LabError, match=r"OLTP_LAB_NEIGHBOURS_URL: .*password authentication") as it:
        servers.neighbours(at(tmp_path, given("stranger", "wr0ng")), "content")
    assert "wr0ng" not in it.value.message
    assert servers.oltp(at(tmp_path, given("stranger", "right"))).server.version
    databases.drop(servers.oltp(at(tmp_path, given("stranger", "right"))))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://u:s3cret@127.0.0.1:1/", "OLTP_LAB_POSTGRES_URL: .*Connection refused"),
        ("postgresql://u:s3cret@no-such-host.invalid/", "OLTP_LAB_POSTGRES_URL: .*host"),
        ("mysql://u:s3cret@localhost/", "OLTP_LAB_POSTGRES_URL is not a connection URL"),
        ("postgresql://u:s3@cret@localhost/", "OLTP_LAB_POSTGRES_URL is not a connection URL"),
        ("postgresql://u:s3/cret@localhost/", "OLTP_LAB_POSTGRES_URL is not a connection URL"),
    ],
)
def test_unreachable(tmp_path: Path, url: str, message: str) -> None:
    with pytest.raises(LabError, match=message) as it:
        servers.check(at(tmp_path, url))
    assert "cret" not in it.value.message
    assert "\n" not in it.value.message


@pytest.fixture
def old_server() -> Iterator[str]:
    if not (OLD / "initdb").exists():
        pytest.skip("no PostgreSQL 15 on this machine")
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="old") as name:
        folder = Path(name)
        account = Account.of(folder / "none")
        account.own(folder)
        data = folder / "data"
        control: list[str | Path] = [OLD / "pg_ctl", "-D", data]
        initdb = [OLD / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync"]
        account.run(initdb, folder, LIMIT)
        started = account.run(
            [*control, "-w", "-l", "log", "-o", f"-c listen_addresses='' -k {folder}", "start"],
            folder,
            LIMIT,
        )
        assert started.returncode == 0, started.stderr
        yield f"postgresql://postgres@/postgres?host={folder}"
        account.run([*control, "-w", "-m", "immediate", "stop"], folder, LIMIT)
        shutil.rmtree(data, ignore_errors=True)


def test_too_old(tmp_path: Path, old_server: str) -> None:
    with pytest.raises(LabError, match=r"is PostgreSQL 15: set OLTP_LAB_POSTGRES_URL .* 16"):
        servers.oltp(at(tmp_path, old_server))


def test_embedded_server_is_what_postgres_says(home: Path) -> None:
    database = servers.neighbours(Settings(home, "smoke"), "content")
    with database.connect() as session:
        row = session.execute("select pg_backend_pid()").fetchone()
        assert row
        assert embedded.is_ours(cluster(home), row[0])
    began = servers.busy.seconds(0)
    with database.connect() as session:
        session.execute("select pg_sleep(0.2)")
    with servers.busy.busy(), servers.busy.busy():  # a union: counted once
        time.sleep(0.2)
    assert 0.4 <= servers.busy.seconds(0) - began < 0.6

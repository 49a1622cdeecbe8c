"""The portable layers on PostgreSQL 15, which Nile runs, where its programs are at hand.

No Python package ships version 15; systems do, such as Debian 12 (``postgresql-15``).
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from oltp_lab import catalog, sql
from oltp_lab.schema import build
from oltp_lab.servers.unprivileged import Account
from oltp_lab_tests.schema.test_layers import PORTABLE

INSTALLATIONS = ("/usr/lib/postgresql/15", "/usr/pgsql-15", "/opt/homebrew/opt/postgresql@15")
LIMIT = 60


@pytest.fixture(scope="module")
def connection() -> Iterator[psycopg.Connection]:
    """A server of that version, which lives as long as the tests of this file."""
    found = [Path(place) / "bin" for place in INSTALLATIONS if Path(place, "bin/initdb").exists()]
    if not found:
        pytest.skip(f"no PostgreSQL 15 in {', '.join(INSTALLATIONS)}")
    with tempfile.TemporaryDirectory(prefix="pg15-", dir="/tmp") as name:
        folder = Path(name)
        account = Account.of(folder)
        account.own(folder)

        def run(program: str, *arguments: str) -> None:
            done = account.run([found[0] / program, *arguments], folder, LIMIT)
            assert done.returncode == 0, done.stderr

        run("initdb", "--pgdata=data", "--username=postgres", "--encoding=UTF8", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        run(
            "pg_ctl",
            "--pgdata=data",
            "--silent",
            "--wait",
            "--log=log",
            f"--options={options}",
            "start",
        )
        try:
            with psycopg.connect(host=name, user="postgres", dbname="postgres") as connected:
                yield connected
        finally:
            run("pg_ctl", "--pgdata=data", "--silent", "--wait", "--mode=immediate", "stop")


def test_layers_apply_and_hold_to_their_rules(connection: psycopg.Connection) -> None:
    assert connection.info.server_version // 10000 == 15
    for file in build.layers():
        if file.startswith(("schema/nile", "schema/tables")):
            connection.execute(sql.read(file))
    assert set(catalog.describe(connection)) == set(catalog.tables())
    for name, rule in PORTABLE.items():
        assert connection.execute(rule).fetchall() == [], name


def test_what_came_later_is_refused(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.UndefinedFunction), connection.transaction():
        connection.execute("create table breach (id uuid default uuidv7())")

"""Processes that use the lab's servers, and a server that stands in for a given one."""

import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from oltp_lab.servers import embedded, tuning
from oltp_lab_tests.servers.helpers import cluster

type_start = Callable[[list[str]], subprocess.Popen[str]]


def _default_signals() -> None:
    """As from a shell: runs of Dagster in this process may have left SIGTERM ignored."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.fixture
def start() -> Iterator[type_start]:
    """Starts commands with pipes; what a test leaves running is killed."""
    children: list[subprocess.Popen[str]] = []

    def start(command: list[str]) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        child = subprocess.Popen(
            command,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
            preexec_fn=_default_signals,  # noqa: PLW1509
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A module's home, with a space in its name; nothing runs there afterwards."""
    home = tmp_path_factory.mktemp("the home")
    yield home
    for name in ("oltp", "neighbours"):
        embedded.stop(cluster(home, name))


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that other accounts can reach, which pytest's own are not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """URLs of a server of somebody else's, by role and password.

    ``maker`` has the rights that the lab asks for, ``no_roles`` and ``no_databases`` lack one,
    ``stranger`` needs a password.
    """
    theirs = embedded.Cluster(tmp_path_factory.mktemp("given"), tuning.configuration("neighbours"))
    embedded.use(theirs)

    def url(role: str = "maker", password: str = "") -> str:
        login = f"{role}:{password}" if password else role
        return f"postgresql://{login}@/postgres?host={theirs.socket}&port={embedded.PORT}"

    hba = theirs.data / "pg_hba.conf"
    hba.write_text("local all stranger scram-sha-256\n" + hba.read_text("utf-8"), "utf-8")
    with psycopg.connect(url(embedded.ADMINISTRATOR), autocommit=True) as session:
        session.execute("create role maker login createdb createrole")
        session.execute("create role no_roles login createdb")
        session.execute("create role no_databases login createrole")
        session.execute("create role stranger login createdb createrole password 'right'")
        session.execute("select pg_reload_conf()")
    yield url
    embedded.stop(theirs)

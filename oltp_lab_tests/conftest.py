"""One server and two idle template databases for the whole session; each test gets a clone."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from oltp_lab import servers, sql
from oltp_lab import settings as lab_settings
from oltp_lab.resources import MeasurementsResource, Oltp, Scale
from oltp_lab.sample_data import load as sample_data
from oltp_lab.schema import build
from oltp_lab.servers import Database, databases, embedded
from oltp_lab.settings import Settings

_MEMORY = Path("/dev/shm")
_MEMORY_NEEDED = 6 * 2**30  # bytes: two sessions, with servers of their own


# A busy machine is no failure, and what failed once is pinned by a test of its own.
hypothesis.settings.register_profile("lab", deadline=None, database=None)
hypothesis.settings.load_profile("lab")


def pytest_configure() -> None:
    """Keep temporary folders in memory where it is roomy: a clone is a thousand files, which a disk
    takes five times as long to make and remove."""
    with suppress(OSError):
        if shutil.disk_usage(_MEMORY).free >= _MEMORY_NEEDED and os.access(_MEMORY, os.W_OK):
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A lab home of the session's own; a server given by URL in the environment is used."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OLTP_LAB_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("OLTP_LAB_SCALE", "smoke")
        loaded = lab_settings.load()
        if loaded.postgres_url is None:
            _spare_the_disk(servers.oltp(loaded))
        yield loaded
        for name in servers.CLUSTERS:
            cluster = servers.cluster(loaded, name)
            embedded.stop(cluster)
            shutil.rmtree(cluster.folder, ignore_errors=True)


def _spare_the_disk(database: Database) -> None:
    """Who is killed loses nothing; only a machine would."""
    with database.connect(autocommit=True) as connection:
        for setting in ("fsync = off", "full_page_writes = off", "max_wal_size = '256MB'",
                        "min_wal_size = '64MB'"):  # fmt: skip
            connection.execute(f"alter system set {setting}")  # type: ignore[arg-type]
        connection.execute("select pg_reload_conf()")


@pytest.fixture(scope="session")
def schema_template(settings: Settings) -> Iterator[Database]:
    """The schema without rows. Nobody may connect to it, or it cannot be cloned."""
    with databases.temporary(servers.oltp(settings)) as template:
        build.ensure(template)
        yield template


@pytest.fixture(scope="session")
def seeded_template(schema_template: Database) -> Iterator[Database]:
    """The schema with the sample data of scale smoke."""
    with databases.temporary(schema_template, schema_template) as template:
        sample_data.ensure(template, "smoke", seed=1)
        yield template


@pytest.fixture
def empty(settings: Settings) -> Iterator[Database]:
    """A database with nothing in it."""
    with databases.temporary(servers.oltp(settings)) as database:
        yield database


@pytest.fixture
def database(schema_template: Database) -> Iterator[Database]:
    """The schema without rows, the test's own."""
    with databases.temporary(schema_template, schema_template) as clone:
        yield clone


@pytest.fixture
def seeded(seeded_template: Database) -> Iterator[Database]:
    """The schema with sample data, the test's own."""
    with databases.temporary(seeded_template, seeded_template) as clone:
        yield clone


@pytest.fixture
def smoke() -> dict[str, Any]:
    """What Dagster hands an asset at scale smoke."""
    return {
        "oltp": Oltp(),
        "measurements": MeasurementsResource(),
        "scale": Scale(name="smoke"),
    }


@pytest.fixture
def editable_sql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of sql/ that the lab reads instead of its own."""
    root = tmp_path / "sql"
    shutil.copytree(sql.ROOT, root)
    monkeypatch.setattr(sql, "ROOT", root)
    sql.queries.cache_clear()
    sql.steps.cache_clear()
    yield root
    sql.queries.cache_clear()
    sql.steps.cache_clear()

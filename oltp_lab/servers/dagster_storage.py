"""What ``dagster.yaml`` names: Dagster's own records, on the neighbours' server and in the home.

Dagster can take a URL or a folder from a variable but knows no default for it, hence classes. Each
makes the ordinary object of Dagster; nothing here adds behaviour to it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster_postgres import DagsterPostgresStorage
from sqlalchemy import URL

from oltp_lab import servers
from oltp_lab import settings as environment
from oltp_lab.servers import given

if TYPE_CHECKING:
    from dagster._serdes import ConfigurableClassData

_VARIABLE = "DAGSTER_POSTGRES_URL"
_KEPT = {"statement_timeout": 0, "pool_recycle": 300, "max_overflow": 20}
"""One connection stays open; without a limit on statements, and not for ever."""


class Storage(DagsterPostgresStorage):
    """Runs, events and schedules: in ``DAGSTER_POSTGRES_URL``, else in ``oltp_lab_dagster``."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(  # pyright: ignore[reportIncompatibleMethodOverride]
        cls, inst_data: "ConfigurableClassData | None", config_value: Mapping[str, Any]
    ) -> DagsterPostgresStorage:
        """Raises LabError when a server or the home is not fit: the run does not begin."""
        storage = DagsterPostgresStorage(_url(environment.load()), inst_data=inst_data)
        parts = storage.event_log_storage, storage.run_storage, storage.schedule_storage
        for part in parts:  # or every event opens a connection of its own: four thousand a run
            part.optimize_for_webserver(**_KEPT)
        return storage


class ComputeLogs(LocalComputeLogManager):
    """What steps print; kept, where Dagster's default folder is a throw-away one."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: "ConfigurableClassData | None", config_value: Mapping[str, Any]
    ) -> LocalComputeLogManager:
        return LocalComputeLogManager(_folder("compute_logs"), inst_data=inst_data)


class Artifacts(LocalArtifactStorage):
    """The folder for what Dagster itself stores in files; kept likewise."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(  # pyright: ignore[reportIncompatibleMethodOverride]
        cls, inst_data: "ConfigurableClassData | None", config_value: Mapping[str, Any]
    ) -> LocalArtifactStorage:
        return LocalArtifactStorage(_folder("artifacts"), inst_data=inst_data)


def _url(settings: environment.Settings) -> str:
    servers.check(settings)
    if settings.dagster_postgres_url:
        options = given.options(settings.dagster_postgres_url, _VARIABLE)
        given.connect(options, f"the server of {_VARIABLE}").close()
    else:
        options = servers.neighbours(settings, "dagster").options()
    return as_sqlalchemy(options)


def as_sqlalchemy(options: dict[str, str]) -> str:
    """libpq's options as a URL; the host goes to the query, as it may be a socket's folder."""
    query = {k: v for k, v in options.items() if k not in ("user", "password", "dbname")}
    url = URL.create(
        "postgresql+psycopg2",
        username=options.get("user"),
        password=options.get("password"),
        database=options.get("dbname"),
        query=query,
    )
    return url.render_as_string(hide_password=False)


def _folder(name: str) -> str:
    return str(environment.load().home / "dagster" / name)

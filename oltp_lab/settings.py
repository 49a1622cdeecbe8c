"""Every environment variable and every path of the lab, with its default.

Nothing else in the package reads the environment.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from oltp_lab.errors import LabError

SCALES = ("smoke", "challenge", "enterprise")


@dataclass(frozen=True)
class Settings:
    """What the environment says, once. All paths are absolute.

    ``home`` holds all that the lab makes; the three URLs name servers that take the place of the
    embedded ones (``None``: embedded).
    """

    home: Path
    scale: str
    postgres_url: str | None = field(default=None, repr=False)
    neighbours_url: str | None = field(default=None, repr=False)
    dagster_postgres_url: str | None = field(default=None, repr=False)

    @property
    def measurements(self) -> Path:
        """Parquet files, ``TABLE/RUN.parquet``."""
        return self.home / "measurements"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file of the analytics warehouse."""
        return self.home / "warehouse.duckdb"

    @property
    def report(self) -> Path:
        """The report's page."""
        return self.home / "report" / "index.html"

    @property
    def locks(self) -> Path:
        """Files that ``flock`` locks are held on."""
        return self.home / "locks"

    @property
    def credentials(self) -> Path:
        """Generated passwords of the login roles, mode 0600."""
        return self.home / "credentials.json"


def checked_scale(name: str) -> str:
    """The name of a scale that exists. Raises LabError for any other."""
    if name not in SCALES:
        raise LabError(f"unknown scale {name!r}: set OLTP_LAB_SCALE to one of {', '.join(SCALES)}")
    return name


def load() -> Settings:
    """Read the settings from the environment.

    Raises LabError for an unknown scale.
    """
    return Settings(
        home=Path(os.environ.get("OLTP_LAB_HOME") or ".oltp_lab").expanduser().absolute(),
        scale=checked_scale(os.environ.get("OLTP_LAB_SCALE") or "challenge"),
        postgres_url=os.environ.get("OLTP_LAB_POSTGRES_URL") or None,
        neighbours_url=os.environ.get("OLTP_LAB_NEIGHBOURS_URL") or None,
        dagster_postgres_url=os.environ.get("DAGSTER_POSTGRES_URL") or None,
    )

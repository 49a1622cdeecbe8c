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
    embedded ones (``None``: embedded). ``warehouse_place`` is another file for the warehouse, or a
    database of MotherDuck's, ``md:NAME``. ``stripe_api_key`` is a test account's (``None``: a
    provider on the loopback interface), whose webhooks ``stripe_webhook_secret`` signs.
    """

    home: Path
    scale: str
    postgres_url: str | None = field(default=None, repr=False)
    neighbours_url: str | None = field(default=None, repr=False)
    dagster_postgres_url: str | None = field(default=None, repr=False)
    warehouse_place: str | None = None
    has_motherduck_token: bool = False
    stripe_api_key: str | None = field(default=None, repr=False)
    stripe_webhook_secret: str | None = field(default=None, repr=False)

    @property
    def measurements(self) -> Path:
        """Parquet files, ``TABLE/RUN.parquet``."""
        return self.home / "measurements"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file of the analytics warehouse, where it is one."""
        place = None if self.motherduck else self.warehouse_place
        return Path(place or self.home / "warehouse.duckdb").expanduser().absolute()

    @property
    def motherduck(self) -> str | None:
        """The name ``md:NAME`` of the warehouse when it is MotherDuck's."""
        place = self.warehouse_place
        return place if place and place.startswith("md:") else None

    @property
    def exports(self) -> Path:
        """Parquet files of the daily marts, ``MART/day=YYYY-MM-DD/*.parquet``."""
        return self.home / "exports"

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
        warehouse_place=os.environ.get("OLTP_LAB_WAREHOUSE") or None,
        has_motherduck_token=bool(os.environ.get("motherduck_token")),  # noqa: SIM112  its name
        stripe_api_key=os.environ.get("STRIPE_API_KEY") or None,
        stripe_webhook_secret=os.environ.get("STRIPE_WEBHOOK_SECRET") or None,
    )

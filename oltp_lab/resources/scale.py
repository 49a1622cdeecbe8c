"""How large the sample data is, and how long is measured."""

import dagster as dg
from pydantic import Field

from oltp_lab import settings


class Scale(dg.ConfigurableResource):
    """The scale of a run: the launchpad's, else the environment's."""

    name: str = Field(
        default="",
        description=f"One of {', '.join(settings.SCALES)}; empty takes OLTP_LAB_SCALE (challenge).",
    )

    def value(self) -> str:
        """The scale's name. Raises LabError for one that does not exist."""
        return settings.checked_scale(self.name) if self.name else settings.load().scale

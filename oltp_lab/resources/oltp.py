"""The OLTP database, the system under test."""

import dagster as dg

from oltp_lab import servers, settings
from oltp_lab.resources.shown import shown


def table_key(schema: str, name: str) -> dg.AssetKey:
    """The asset of a table of the OLTP database."""
    return dg.AssetKey(["oltp", schema, name])


class Oltp(dg.ConfigurableResource):
    """The database ``oltp_lab``: embedded, or on the server that OLTP_LAB_POSTGRES_URL names."""

    def database(self) -> servers.Database:
        """The database, its server started and checked. Raises LabError if it won't do."""
        with shown():
            return servers.oltp(settings.load())

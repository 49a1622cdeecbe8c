"""Filling the content database from the sample data's storage keys, set-based."""

import time
from dataclasses import dataclass
from typing import Any

from oltp_lab import servers, sql
from oltp_lab.neighbours import schema
from oltp_lab.neighbours.content.tiers import Tiers, pump
from oltp_lab.servers import Database
from oltp_lab.settings import Settings


@dataclass(frozen=True)
class Filled:
    """What the content database holds; ``anew``: it had to be filled, in ``seconds``."""

    anew: bool
    objects: int
    bytes: int
    tenants: int
    seconds: float


def open_tiers(settings: Settings, oltp: Database) -> Tiers:
    """Both databases, the content's built if it was not."""
    content = servers.neighbours(settings, "content")
    schema.ensure(content, "content")
    return Tiers(oltp, content)


def ensure(tiers: Tiers) -> Filled:
    """Fill in a body for every version of the OLTP, unless they are there already."""
    queries, began = _queries(), time.monotonic()
    with (
        tiers.oltp.connect("lab_platform") as oltp,
        tiers.content.connect("lab_platform") as content,
    ):
        source = oltp.execute(queries["source"]).fetchone()
        anew = content.execute(queries["filled"]).fetchone() != source
        if anew:
            content.execute(queries["empty"])
            content.execute(queries["version_table"])
            pump(oltp, queries["versions_out"], content, queries["versions_in"])
            content.execute(queries["objects"])
            content.execute(queries["uses"])
            content.execute(queries["note"], {"source": source[0] if source else ""})
        sizes = content.execute(queries["sizes"]).fetchone() or (0, 0, 0)
    return Filled(anew, *sizes, seconds=time.monotonic() - began)


def _queries() -> dict[str, Any]:
    return sql.queries("neighbours/content/fill.sql")

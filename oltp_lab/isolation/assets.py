"""What Dagster sees of the isolation stage beside the attacks: one asset a proof."""

from typing import Any

from oltp_lab import catalog
from oltp_lab.resources import table_key

COMMON: dict[str, Any] = {
    "key_prefix": "isolation",
    "group_name": "isolation",
    "kinds": {"postgres"},
    "owners": ["team:oltp_lab"],
    "deps": [table_key(*table) for table in catalog.tables()],
}

assets: list[Any] = []
checks: list[Any] = []

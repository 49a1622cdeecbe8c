"""What the assets of the stage have in common: each is a proof, and has one blocking check."""

from typing import Any

import dagster as dg

from oltp_lab import catalog
from oltp_lab.resources import table_key

COMMON: dict[str, Any] = {
    "key_prefix": "isolation",
    "group_name": "isolation",
    "kinds": {"postgres"},
    "owners": ["team:oltp_lab"],
    "deps": [table_key(*table) for table in catalog.tables()],
}


def promise(asset: str, check: str, description: str) -> list[dg.AssetCheckSpec]:
    """The one check of a proof, which is blocking: a broken promise fails the run."""
    return [
        dg.AssetCheckSpec(check, asset=["isolation", asset], blocking=True, description=description)
    ]


def skipped(check: str) -> dg.MaterializeResult:
    """What becomes of a proof that is about the lab's own database alone: it is not passed."""
    told = "not tried: the run config names another database, and this is proven on the lab's alone"
    return dg.MaterializeResult(
        metadata={"skipped": told},
        check_results=[
            dg.AssetCheckResult(
                check_name=check,
                passed=False,
                severity=dg.AssetCheckSeverity.WARN,
                description=told,
            )
        ],
    )

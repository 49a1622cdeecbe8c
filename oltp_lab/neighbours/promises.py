"""Promises of the neighbours' assets: blocking checks, judged by the sentences that break them."""

from collections.abc import Mapping, Sequence

import dagster as dg


def promised(asset: str, promises: Mapping[str, str]) -> list[dg.AssetCheckSpec]:
    """The checks of an asset, name and description: a broken promise fails the run."""
    return [
        dg.AssetCheckSpec(name, asset=["neighbours", asset], blocking=True, description=description)
        for name, description in promises.items()
    ]


def judged(
    check: str, broken: Sequence[str], otherwise: str | None = None, **metadata: int
) -> dg.AssetCheckResult:
    """Whether a promise is kept: the sentences that say how it is broken, or ``otherwise``."""
    return dg.AssetCheckResult(
        check_name=check,
        passed=not broken,
        description="; ".join(broken) or otherwise,
        metadata=metadata,
    )

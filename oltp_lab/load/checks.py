"""What a load run must hold: that it is whole, and its workload's invariants; and a warning."""

import dagster as dg

from oltp_lab import sql
from oltp_lab.load.history import History
from oltp_lab.load.pages import QUERIES
from oltp_lab.load.workload import discovered
from oltp_lab.measuring import markdown
from oltp_lab.resources import MeasurementsResource


def _no_failed_sessions(workload: str) -> dg.AssetChecksDefinition:
    """The check that the newest run of a workload is whole."""

    @dg.asset_check(
        asset=dg.AssetKey(["load", workload]),
        blocking=True,
        description="No session was aborted, by a broken assertion of isolation or otherwise, and "
        "every arm that can run here ran to its end.",
    )
    def no_failed_sessions(measurements: MeasurementsResource) -> dg.AssetCheckResult:
        broken = (
            measurements.store()
            .read(sql.queries(QUERIES)["broken"], {"workload": workload})
            .to_dict("records")
        )
        return dg.AssetCheckResult(
            passed=not broken,
            severity=dg.AssetCheckSeverity.ERROR,
            description="; ".join(f"{row['arm']}: {row['failure']}" for row in broken) or None,
            metadata={
                "broken_arms": len(broken),
                "aborted_sessions": sum(row["aborted"] for row in broken),
            },
        )

    return no_failed_sessions


def _invariants_hold(workload: str) -> dg.AssetChecksDefinition:
    """The check that what must hold after a workload's newest run does."""

    @dg.asset_check(
        asset=dg.AssetKey(["load", workload]),
        blocking=True,
        description="What must hold after the load does: " + ", ".join(
            name.replace("_", " ") for name in sql.queries(f"load/{workload}/invariants.sql")
        ),
    )  # fmt: skip
    def invariants_hold(measurements: MeasurementsResource) -> dg.AssetCheckResult:
        judged = measurements.store().read(
            sql.queries(QUERIES)["invariants"], {"workload": workload}
        )
        broken = judged.query("broken").to_dict("records")
        return dg.AssetCheckResult(
            passed=not broken and len(judged) > 0,
            severity=dg.AssetCheckSeverity.ERROR,
            description="; ".join(f"{row['invariant']}: {row['told']}" for row in broken) or None,
            metadata={"invariants": len(judged), "broken": len(broken)},
        )

    return invariants_hold


def _no_slower(workload: str) -> dg.AssetChecksDefinition:
    """The check, a warning only, that a workload's newest run is as fast as those before it."""

    @dg.asset_check(
        asset=dg.AssetKey(["load", workload]),
        description="Each arm's throughput, as a ratio to a calibration right before it, is what "
        "it was in the trailing runs on this machine.",
    )
    def no_slower_than_before(measurements: MeasurementsResource) -> dg.AssetCheckResult:
        history = History.read(measurements.store(), workload)
        return dg.AssetCheckResult(
            passed=not history.slower,
            severity=dg.AssetCheckSeverity.WARN,
            description=history.told,
            metadata={
                "slower_arms": len(history.slower),
                "arms": dg.MetadataValue.md(markdown.frame(history.arms)),
            },
        )

    return no_slower_than_before


_names = discovered()
checks = [
    *map(_no_failed_sessions, _names),
    *map(_no_slower, _names),
    *(
        _invariants_hold(name)
        for name in _names
        if sql.path(f"load/{name}/invariants.sql").exists()
    ),
]

"""Checks of the report: what is said to answer a question is there, and what is open is counted."""

import dagster as dg

from oltp_lab import sql
from oltp_lab.findings.assets import report
from oltp_lab.findings.questions import (
    QUERIES,
    Known,
    by_section,
    measured_columns,
    missing,
    questions,
)
from oltp_lab.measuring import markdown
from oltp_lab.resources import MeasurementsResource, Warehouse


@dg.asset_check(
    asset=report,
    blocking=True,
    description="Whatever is named as the answer to a line of the challenge exists in this lab.",
)
def answers_exist(
    context: dg.AssetCheckExecutionContext,
    measurements: MeasurementsResource,
    warehouse: Warehouse,
) -> dg.AssetCheckResult:
    graph = context.op_execution_context.repository_def.asset_graph
    known: Known = {
        "asset": {key.to_user_string() for key in graph.get_all_asset_keys()},
        "check": {f"{key.asset_key.to_user_string()}:{key.name}" for key in graph.asset_check_keys},
        "mart": _marts(warehouse),
        "measurement": measured_columns(measurements.store()),
    }
    lost = missing(questions(), known)
    return dg.AssetCheckResult(
        passed=not lost,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(f"{line} names {answer}, which is not there" for line, answer in lost)
        or "every answer is there",
        metadata={"missing": float(len(lost))},
    )


def _marts(warehouse: Warehouse) -> set[str]:
    with warehouse.open(read_only=True) as connection:
        return {name for (name,) in connection.execute(sql.queries(QUERIES)["marts"]).fetchall()}


@dg.asset_check(
    asset=report,
    description="Every line of the challenge has an answer; one that is answered in part is open.",
)
def all_answered() -> dg.AssetCheckResult:
    lines = questions()
    still_open = [line for line in lines if not line.answers]
    sections = (
        (section, len(members), sum(not line.answers for line in members))
        for section, members in by_section(lines).items()
    )
    return dg.AssetCheckResult(
        passed=not still_open,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(still_open)} of {len(lines)} lines are open",
        metadata={
            "answered": float(len(lines) - len(still_open)),
            "open": float(len(still_open)),
            "sections": dg.MetadataValue.md(
                markdown.table(("section", "lines", "open"), sections, right=("lines", "open"))
            ),
        },
    )


checks = [answers_exist, all_answered]

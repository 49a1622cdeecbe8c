"""One blocking check a table: every attack on it held."""

from collections.abc import Iterable, Iterator

import dagster as dg

from oltp_lab import catalog
from oltp_lab.isolation import probes
from oltp_lab.isolation.probes import HELD, LEAKED, Probe
from oltp_lab.measuring import markdown
from oltp_lab.resources import MeasurementsResource, Oltp, Scale, table_key

_ERROR, _WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


# Not the schema's: a blocking check of that would have to come before there are rows to attack.
_ANY_TABLE = table_key("public", "tenants")


@dg.multi_asset_check(
    name="attack_every_table",
    specs=[
        dg.AssetCheckSpec(
            "isolated",
            asset=table_key(schema, name),
            blocking=True,
            description="As the application in one tenant's context, nothing of another tenant's "
            "can be read, written, referenced or moved; without a context, nothing at all.",
        )
        for schema, name in catalog.tables()
    ]
    + [
        dg.AssetCheckSpec(
            "no_other_table_leaks",
            asset=_ANY_TABLE,
            blocking=True,
            description="Every table beside those of the SQL files is forced or listed as shared, "
            "and shared tables are written only by those listed.",
        )
    ],
)
def isolation(
    context: dg.AssetCheckExecutionContext,
    oltp: Oltp,
    measurements: MeasurementsResource,
    scale: Scale,
) -> Iterator[dg.AssetCheckResult]:
    database = oltp.database()
    found = probes.run(database)
    run = measurements.run(context, database, scale.value())
    measurements.store().append("isolation_probes", [vars(probe) for probe in found], run=run)
    known = {f"{schema}.{name}" for schema, name in catalog.tables()}
    results = [_result(t, [p for p in found if p.table_name == t]) for t in sorted(known)]
    results.append(_others([probe for probe in found if probe.table_name not in known]))
    for result in results:
        if not result.passed:
            context.log.error(result.description)
        yield result


def _result(table: str, found: list[Probe]) -> dg.AssetCheckResult:
    """The verdict on one table; one that was not attacked is missing."""
    leaks = [probe for probe in found if probe.outcome == LEAKED]
    unproven = [probe for probe in found if probe.outcome not in {HELD, LEAKED}]
    if not found:
        description = f"{table} was not attacked: it is missing"
    elif leaks:
        description = f"{table} leaks: {_told(leaks)}"
    elif unproven:
        description = f"{table} is not proven: {_told(unproven)}"
    else:
        description = f"{len(found)} attacks on {table} held"
    return dg.AssetCheckResult(
        check_name="isolated",
        asset_key=table_key(*table.split(".")),
        passed=bool(found) and not leaks and not unproven,
        severity=_ERROR if leaks or not found else _WARN,
        description=description,
        metadata={
            "attacks": len(found),
            "leaks": float(len(leaks)),
            "not_proven": float(len(unproven)),
            "probes": dg.MetadataValue.md(_matrix(found)),
        },
    )


def _others(found: list[Probe]) -> dg.AssetCheckResult:
    """Tables that no SQL file of the lab makes must be safe too."""
    wrong = [probe for probe in found if probe.outcome != HELD]
    return dg.AssetCheckResult(
        check_name="no_other_table_leaks",
        asset_key=_ANY_TABLE,
        passed=not wrong,
        description="; ".join(f"{p.table_name}: {_told([p])}" for p in wrong) or "there is none",
        metadata={"probes": dg.MetadataValue.md(_matrix(found))},
    )


def _told(found: Iterable[Probe]) -> str:
    return "; ".join(f"{probe.attack} as {probe.role} ({probe.detail})" for probe in found)


def _matrix(found: Iterable[Probe]) -> str:
    rows = ((p.attack, p.outcome, p.detail, f"`{p.statement}`") for p in found)
    return markdown.table(("attack", "outcome", "detail", "statement"), rows)


checks = [isolation]

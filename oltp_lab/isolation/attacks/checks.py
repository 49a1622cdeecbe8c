"""One blocking check a table: every attack on it held. And one for the database as a whole."""

from collections.abc import Callable, Iterable, Iterator

import dagster as dg

from oltp_lab import catalog
from oltp_lab.isolation.attacks import probes
from oltp_lab.isolation.attacks.probes import HELD, LEAKED, NOT_APPLICABLE, NOT_PROVEN, Probe
from oltp_lab.isolation.resource import IsolationSubject
from oltp_lab.measuring import markdown
from oltp_lab.measuring.store import Run
from oltp_lab.resources import MeasurementsResource, Oltp, Scale, table_key

_ERROR, _WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
_SIGNS = {LEAKED: "🔴", NOT_PROVEN: "🟡", HELD: "🟢", NOT_APPLICABLE: "·"}
_WORST_FIRST = list(_SIGNS)
_Label = Callable[[Probe], str]
_SHOWN = 20  # probes that did not hold

# Not the schema's: a blocking check of that would have to come before there are rows to attack.
_ANY_TABLE = table_key("public", "tenants")


@dg.multi_asset_check(
    name="attack_every_table",
    can_subset=True,  # another database has other tables
    specs=[
        dg.AssetCheckSpec(
            "isolated",
            asset=table_key(schema, name),
            blocking=True,
            description="Whatever role attacks it in whatever way, nothing of another tenant's "
            "can be read, written, referenced or moved; without a context, nothing at all.",
        )
        for schema, name in catalog.tables()
    ]
    + [
        dg.AssetCheckSpec(
            "nothing_leaks",
            asset=_ANY_TABLE,
            blocking=True,
            description="No attack got through, on whatever table, view, function or role the "
            "database has: that of the lab, or the one that the run config names.",
        )
    ],
)
def isolation(
    context: dg.AssetCheckExecutionContext,
    oltp: Oltp,
    subject: IsolationSubject,
    measurements: MeasurementsResource,
    scale: Scale,
) -> Iterator[dg.AssetCheckResult]:
    tested = subject.value(oltp)
    found = list(probes.run(tested))
    with tested.administrator() as session:
        run = Run.at(session, context.run.run_id, scale.value())
    rows = [{"subject": tested.name, **vars(probe)} for probe in found]
    measurements.store().append("isolation_probes", rows, run=run)
    results = [_whole(found)]
    if tested.is_the_labs:
        by_table: dict[str, list[Probe]] = {f"{s}.{name}": [] for s, name in catalog.tables()}
        for probe in found:
            by_table.get(probe.table_name, []).append(probe)
        results += [_result(table, tried) for table, tried in by_table.items()]
    for result in results:
        if not result.passed:
            context.log.error(result.description)
        yield result


def _whole(found: list[Probe]) -> dg.AssetCheckResult:
    return _verdict(
        _ANY_TABLE,
        "nothing_leaks",
        "the database",
        found,
        _matrix(found, lambda probe: probe.table_name, lambda probe: _kind(probe.attack)),
    )


def _result(table: str, found: list[Probe]) -> dg.AssetCheckResult:
    """The verdict on one table; one that was not attacked is missing."""
    return _verdict(
        table_key(*table.split(".")),
        "isolated",
        table,
        found,
        _matrix(found, lambda probe: _kind(probe.attack), lambda probe: probe.role),
    )


def _verdict(
    asset: dg.AssetKey, check: str, what: str, found: list[Probe], matrix: str
) -> dg.AssetCheckResult:
    counts = {outcome: sum(p.outcome == outcome for p in found) for outcome in _SIGNS}
    wrong = [probe for probe in found if probe.outcome == LEAKED]
    wrong += [probe for probe in found if probe.outcome == NOT_PROVEN]
    if not found:
        description = f"{what} was not attacked: it is missing"
    elif wrong:
        verb = "leaks" if counts[LEAKED] else "is not proven"
        description = f"{what} {verb}: {_told(wrong)}"
    else:
        description = f"{counts[HELD]:,} attacks on {what} held"
    return dg.AssetCheckResult(
        check_name=check,
        asset_key=asset,
        passed=bool(found) and not wrong,
        severity=_ERROR if counts[LEAKED] or not found else _WARN,
        description=description,
        metadata={
            "held": counts[HELD],
            "leaks": float(counts[LEAKED]),
            "not_proven": float(counts[NOT_PROVEN]),
            "matrix": dg.MetadataValue.md(matrix),
            "not_applicable": dg.MetadataValue.md(_reasons(found)),
            "did_not_hold": dg.MetadataValue.md(_statements(wrong)),
        },
    )


def _told(wrong: list[Probe]) -> str:
    """The first few, with all that one needs to see it again."""
    told = [
        f"{p.attack} of {p.table_name} by {p.way} as {p.role} ({p.detail}): {_line(p.statement)}"
        for p in wrong[:3]
    ]
    rest = f"; and {len(wrong) - len(told):,} more" if len(wrong) > len(told) else ""
    return "; ".join(told) + rest


def _line(statement: str) -> str:
    return " ".join(statement.split())


def _kind(attack: str) -> str:
    """Without the key that it was aimed at."""
    return attack.partition(" ")[0] if attack != probes.CONTROL else attack


def _matrix(found: Iterable[Probe], row: _Label, column: _Label) -> str:
    """The worst outcome of each pair, as a sign."""
    worst: dict[tuple[str, str], str] = {}
    for probe in found:
        key = row(probe), column(probe)
        outcomes = probe.outcome, worst.get(key, NOT_APPLICABLE)
        worst[key] = min(outcomes, key=_WORST_FIRST.index)
    rows, columns = sorted({r for r, _ in worst}), sorted({c for _, c in worst})
    cells = ((r, *(_SIGNS[worst[r, c]] if (r, c) in worst else "" for c in columns)) for r in rows)
    return markdown.table(("", *(c.replace("_", " ") for c in columns)), cells)


def _reasons(found: Iterable[Probe]) -> str:
    counts: dict[str, int] = {}
    for probe in found:
        if probe.outcome == NOT_APPLICABLE:
            counts[probe.detail] = counts.get(probe.detail, 0) + 1
    return markdown.table(("not applicable because", "attacks"), counts.items())


def _statements(wrong: Iterable[Probe]) -> str:
    rows = (
        (p.table_name, p.attack, p.way, p.role, p.outcome, p.detail, f"`{_line(p.statement)}`")
        for p in list(wrong)[:_SHOWN]
    )
    return markdown.table(
        ("table", "attack", "way", "role", "outcome", "detail", "statement"), rows
    )


checks = [isolation]

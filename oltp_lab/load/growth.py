"""``make growth``: how the cost of the main operations grows with tenants, and with their leads.

``python -m oltp_lab.load.growth`` fills databases of several sizes (``sql/load/growth``), calls
every operation in each of them as often, and fits the exponent of its cost. A file of the folder of
a role is an operation; every call is undone, so that all find the same. Judged is what needs no
clock: blocks, and rows visited. Where either grows faster than a logarithm, the plan is named.
"""

import statistics
import time
import tomllib
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, LiteralString

import click
import psycopg
from psycopg import sql as pg
from psycopg.rows import dict_row

from oltp_lab import servers, settings, sql
from oltp_lab.errors import LabError
from oltp_lab.load.steps import Steps
from oltp_lab.measuring import explained, plots
from oltp_lab.measuring.statistics import exponent, logarithmic
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.schema import build
from oltp_lab.servers import Database, busy, databases

FOLDER = "load/growth"
ROLES = ("lab_app", "lab_platform")
MEASURES = {"blocks": True, "visits": True, "ms": False}
"""What is fitted, and whether it is judged; a time also tells of all else on the machine."""
_AXES = ("tenants", "leads")
_WARM_UP = 6  # after five executions the server decides whether a plan is kept
_LIMIT = "set statement_timeout = '30s'"


@dataclass(frozen=True)
class Operation:
    """A file of a role's folder: one statement, which names the columns of a draw."""

    name: str
    role: str
    text: LiteralString


@dataclass(frozen=True)
class Growth:
    """What ``growth.toml`` says; ``leads`` are a tenant's, both are of the smallest database."""

    multiples: list[int]
    campaigns: int
    tenants: int
    leads: int
    calls: int

    @classmethod
    def read(cls, scale: str) -> "Growth":
        """The sizes that a scale wants."""
        described = tomllib.loads(sql.read(f"{FOLDER}/growth.toml"))
        return cls(**described.pop("scales")[scale], **described)

    def sizes(self) -> Iterator[tuple[list[tuple[str, int]], "Growth"]]:
        """The databases, each with the axes that it is on and by how much: the smallest on all."""
        yield [(axis, 1) for axis in _AXES], self
        for axis in _AXES:
            for multiple in self.multiples[1:]:
                yield [(axis, multiple)], replace(self, **{axis: getattr(self, axis) * multiple})


@dataclass(frozen=True)
class _Call:
    """What a call cost."""

    blocks: int
    visits: float
    ms: float


@dataclass(frozen=True)
class _Measured:
    """An operation in a database: its calls, and the plan of what is most of them."""

    calls: list[_Call]
    plan: str

    def all(self, measure: str) -> list[float]:
        return [getattr(call, measure) for call in self.calls]


def operations() -> list[Operation]:
    """Every operation, by name."""
    found = [
        Operation(Path(file).stem, role, sql.read(file).partition("\n")[2])
        for role in ROLES
        for file in sql.files(f"{FOLDER}/{role}")
    ]
    return sorted(found, key=lambda operation: operation.name)


def execute(
    template: Database,
    growth: Growth,
    wanted: list[Operation],
    store: Measurements,
    run: Run,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Measure in one clone of ``template`` (idle, the schema without rows) after the other.

    Returns the rows of ``growth_exponents``, once all is stored. Raises LabError when an operation
    fails.
    """
    measured: dict[tuple[str, str], dict[int, _Measured]] = defaultdict(dict)
    rows = []
    for axes, size in growth.sizes():
        began = time.monotonic()
        with databases.temporary(template, template) as database, busy.busy():
            Steps(database, FOLDER, asdict(size)).set_up()
            filled = time.monotonic() - began
            found = {each.name: _measure(database, size, each) for each in wanted}
        say(
            f"{size.tenants:,} tenants, {size.leads:,} leads each: "
            f"filled in {filled:.0f} s, measured in {time.monotonic() - began - filled:.0f} s"
        )
        for axis, multiple in axes:
            for operation in wanted:
                result = found[operation.name]
                measured[operation.name, axis][multiple] = result
                rows.append(_row(operation, axis, multiple, size, result))
    fitted = [row for key, sizes in measured.items() for row in _fitted(*key, sizes)]
    store.append("growth", rows, run=run)
    store.append("growth_exponents", fitted, run=run)
    return fitted


def _measure(database: Database, size: Growth, operation: Operation) -> _Measured:
    """Call it for each draw: timed, then explained; what is most of it is told of the dearest."""
    with database.connect() as session:
        session.execute(_LIMIT)
        session.commit()
        draws = _draws(session, size)
        for draw in draws[:_WARM_UP]:
            _call(session, operation, draw)
        times = [_call(session, operation, draw) for draw in draws]
        explained.switch(session, on=True)
        session.commit()
        told = []
        for draw in draws:
            with explained.explained(session) as found:
                _call(session, operation, draw)
            told.append(found)
    calls = [_Call(found.blocks, found.visits, ms) for found, ms in zip(told, times, strict=True)]
    dearest = max(told, key=lambda found: found.visits)
    return _Measured(calls, explained.heaviest(dearest.statements))


def _draws(session: psycopg.Connection, size: Growth) -> list[dict[str, Any]]:
    with psycopg.ClientCursor(session, row_factory=dict_row) as cursor:
        draws = cursor.execute(sql.queries(f"{FOLDER}/draws.sql")["draws"], asdict(size)).fetchall()
    session.rollback()
    return draws


def _call(session: psycopg.Connection, operation: Operation, draw: Mapping[str, Any]) -> float:
    """Call it as its role, and undo it; returns the milliseconds that the statement took."""
    try:
        session.execute("select lab.enter_tenant(%(tenant)s)", draw)
        session.execute(pg.SQL("set local role {}").format(pg.Identifier(operation.role)))
        began = time.perf_counter()
        session.execute(operation.text, draw, prepare=True).fetchall()
        return (time.perf_counter() - began) * 1e3
    except psycopg.Error as error:
        raise LabError(
            f"{FOLDER}/{operation.role}/{operation.name}.sql failed: {str(error).splitlines()[0]}"
        ) from None
    finally:
        session.rollback()


def _row(
    operation: Operation, axis: str, multiple: int, size: Growth, measured: _Measured
) -> dict[str, Any]:
    return {
        "operation": operation.name,
        "role": operation.role,
        "axis": axis,
        "multiple": multiple,
        "tenants": size.tenants,
        "leads_a_tenant": size.leads,
        "calls": len(measured.calls),
        "p50_ms": statistics.median(measured.all("ms")),
        "blocks_per_call": statistics.fmean(measured.all("blocks")),
        "visits_per_call": statistics.fmean(measured.all("visits")),
        "plan": measured.plan,
    }


def _fitted(operation: str, axis: str, sizes: Mapping[int, _Measured]) -> list[dict[str, Any]]:
    """A row for each measure; what is faster than logarithmic has the largest database's plan."""
    limit = logarithmic(max(sizes) / min(sizes))
    rows = []
    for measure, judged in MEASURES.items():
        pairs = [
            (multiple, max(cost, 1.0) if judged else cost)  # nothing visited is a cost of one
            for multiple, measured in sizes.items()
            for cost in measured.all(measure)
        ]
        fit = exponent(*zip(*pairs, strict=True))
        faster = judged and fit.low > limit
        rows.append(
            {
                "operation": operation,
                "axis": axis,
                "measure": measure,
                **asdict(fit),
                "limit": limit if judged else None,
                "faster_than_logarithmic": faster if judged else None,
                "plan": sizes[max(sizes)].plan if faster else None,
            }
        )
    return rows


def _told(rows: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each operation and axis, and below it the plan of what grows too fast."""
    grouped: dict[tuple[str, str], dict[str, dict[str, Any]]] = defaultdict(dict)
    for row in rows:
        grouped[row["operation"], row["axis"]][row["measure"]] = row
    yield f"{'operation':<28}{'with':<9}" + "".join(f"{m:>22}" for m in MEASURES)
    for (operation, axis), measures in sorted(grouped.items()):
        texts = [
            f"{r['exponent']:.2f} [{r['low']:.2f}, {r['high']:.2f}]" for r in measures.values()
        ]
        yield f"{operation:<28}{axis:<9}" + "".join(f"{text:>22}" for text in texts)
        plan = next((row["plan"] for row in measures.values() if row["plan"]), None)
        if plan:
            yield f"    FASTER THAN LOGARITHMIC: {plan}"


def _chosen(names: tuple[str, ...]) -> list[Operation]:
    known = {operation.name: operation for operation in operations()}
    if unknown := sorted(set(names) - known.keys()):
        raise LabError(f"no operation {unknown[0]!r}: there are {', '.join(known)}")
    return [known[name] for name in names] or list(known.values())


@click.command()
@click.argument("names", nargs=-1, metavar="[OPERATION]...")
def main(names: tuple[str, ...]) -> None:
    """Measure how operations (all, or those named) grow, and say which grow too fast."""
    wanted, current = _chosen(names), settings.load()
    database = servers.oltp(current)
    run = Run.of(database, str(uuid.uuid4()), current.scale)
    store = Measurements(current.measurements)
    with databases.temporary(database) as template:
        build.ensure(template)
        rows = execute(template, Growth.read(current.scale), wanted, store, run, click.echo)
    for line in _told(rows):
        click.echo(line)
    page = current.report.parent / "growth.png"
    page.parent.mkdir(parents=True, exist_ok=True)
    query = sql.queries("load/queries.sql")["growth"]
    plots.growth(store.read(query, {"run_id": run.run_id})).savefig(page, dpi=110)
    click.echo(f"{page}: blocks and time a call, over the size")


if __name__ == "__main__":
    main()

"""Workloads: the folders of ``sql/load`` with a ``workload.toml``, and running one."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.load.steps import Steps
from oltp_lab.measuring import scratch
from oltp_lab.measuring.loads import Outcome, leave_out, measure
from oltp_lab.measuring.pgbench import WAYS, Load, Script, check_room
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database, pgbouncer


@dataclass(frozen=True)
class Operation:
    """A pgbench script's share of the load, and the role that does this work in life."""

    weight: int
    role: str | None = None


@dataclass(frozen=True)
class Arm:
    """So many sessions at once, through one of WAYS (then to so many connections).

    ``rate`` is transactions/s to offer, None for a closed loop; one that is ``latency_limit_ms``
    late before it begins is skipped, and one that ends later counted as late. ``before`` names the
    query of ``before.sql`` that is run first.
    """

    sessions: int
    through: str = "direct"
    pool: int | None = None
    rate: float | None = None
    latency_limit_ms: float | None = None
    before: str | None = None

    @property
    def connections(self) -> int:
        """Those to the server."""
        return self.sessions if self.pool is None else self.pool

    @property
    def closed(self) -> bool:
        """Direct, and as fast as it goes."""
        return self.through == "direct" and self.rate is None

    @property
    def missing(self) -> str | None:
        """Why it cannot run here, None when it can."""
        if self.through == "pgbouncer" and pgbouncer.program() is None:
            return "there is no pgbouncer on PATH"
        return None


@dataclass(frozen=True)
class Workload:
    """What ``workload.toml`` says; lengths are in seconds.

    ``sizes`` are its other numbers: parameters of the SQL around the arms, variables of scripts.
    ``sweep`` has the arms of the command that sweeps, which looks for the highest rate at which 95
    of 100 transactions take ``objective_ms`` at most. ``exercise`` is there when the challenge's
    exercise has other sizes than its test: the workload with those.
    """

    name: str
    description: str
    role: str
    operations: Mapping[str, Operation]
    arms: Mapping[str, Arm]
    seconds: float
    warmup: float
    tenants: int
    targets: int = 1
    objective_ms: float = 50.0
    sweep: Mapping[str, Arm] = field(default_factory=dict)
    sizes: Mapping[str, int | float] = field(default_factory=dict)
    exercise: "Workload | None" = None

    @classmethod
    def read(cls, name: str, scale: str) -> "Workload":
        """The workload of that name, as long and large as the scale wants it.

        Raises LabError for a description that does not hold together.
        """
        described = tomllib.loads(sql.read(f"load/{name}/workload.toml"))
        described |= described.pop("scales")[scale]
        exercise = described.pop("exercise", None)
        operations = {
            key: Operation(**_table("weight", it))
            for key, it in described.pop("operations").items()
        }
        arms, sweep = (
            {key: Arm(**_table("sessions", it)) for key, it in described.pop(kind, {}).items()}
            for kind in ("arms", "sweep")
        )
        known = {key: described.pop(key) for key in cls.__dataclass_fields__ if key in described}
        workload = cls(
            name=name, operations=operations, arms=arms, sweep=sweep, sizes=described, **known
        )
        workload._check()
        return replace(workload, exercise=workload._exercised(**exercise) if exercise else None)

    def _exercised(self, arms: list[str], **sizes: int | float) -> "Workload":
        return replace(
            self,
            arms={f"exercise_{name}": self.arms[name] for name in arms},
            sizes={**self.sizes, **sizes},
            sweep={},
        )

    @property
    def folder(self) -> str:
        """Its folder below ``sql/``."""
        return f"load/{self.name}"

    def told(
        self,
        *,
        sessions: list[int] | None = None,
        arms: list[str] | None = None,
        rate: float | None = None,
        latency_limit_ms: float | None = None,
        **lengths: float | None,
    ) -> "Workload":
        """The workload with what a run's config gives in place of its own.

        ``sessions`` become direct arms; ``arms`` names some of its own, or of its sweep. Either
        leaves the exercise out. Raises LabError for an arm that it does not have.
        """
        chosen = dict(self.arms)
        if arms:
            known = {**self.arms, **self.sweep}
            if unknown := [arm for arm in arms if arm not in known]:
                raise LabError(
                    f"{self.name} has no arm {unknown[0]!r}: configure some of {', '.join(known)}"
                )
            chosen = {arm: known[arm] for arm in arms}
        if sessions:
            chosen = {f"direct_{count}": Arm(count) for count in sessions}
        exercise = None if arms or sessions else self.exercise
        offered = {"rate": rate, "latency_limit_ms": latency_limit_ms}
        return replace(
            self._given(chosen, offered, lengths),
            exercise=exercise and exercise._given(exercise.arms, offered, lengths),
        )

    def _given(
        self,
        arms: Mapping[str, Arm],
        offered: Mapping[str, float | None],
        lengths: Mapping[str, float | None],
    ) -> "Workload":
        """With these arms, and in place of its own what is given."""
        offered, lengths = (
            {name: value for name, value in given.items() if value is not None}
            for given in (offered, lengths)
        )
        return replace(
            self, arms={name: replace(arm, **offered) for name, arm in arms.items()}, **lengths
        )

    def load(self, arm: str, variables: Mapping[str, int | float]) -> Load:
        """The run of one arm, with one script an operation."""
        scripts = [
            Script(name, sql.path(f"{self.folder}/{name}.sql"), operation.weight, operation.role)
            for name, operation in self.operations.items()
        ]
        return Load(
            self.name,
            arm,
            scripts,
            role=self.role,
            sessions=self.arms[arm].sessions,
            through=self.arms[arm].through,
            pool=self.arms[arm].pool,
            rate=self.arms[arm].rate,
            latency_limit_ms=self.arms[arm].latency_limit_ms,
            seconds=self.seconds,
            warmup=self.warmup,
            variables=variables,
        )

    def _check(self) -> None:
        where = f"sql/{self.folder}/workload.toml"
        for name in self.operations:
            if not sql.path(f"{self.folder}/{name}.sql").is_file():
                raise LabError(f"{where}: the operation {name} has no script {name}.sql")
        for name, arm in {**self.arms, **self.sweep}.items():
            if arm.through not in WAYS or (arm.through == "direct") != (arm.pool is None):
                raise LabError(
                    f"{where}: the arm {name} goes through {arm.through!r} to a pool of "
                    f"{arm.pool}: name one of {', '.join(WAYS)}, and a pool unless it is direct"
                )


def discovered() -> list[str]:
    """Names of the workloads, the folders of ``sql/load`` that describe one."""
    return sql.folders("load", "workload.toml")


def execute(
    database: Database,
    workload: Workload,
    store: Measurements,
    run: Run,
    then: Callable[[list[Outcome]], Mapping[str, Arm]] | None = None,
) -> list[Outcome]:
    """Run the arms one after the other, up to the first that breaks, and store what was measured.

    ``then`` gives further arms, knowing what became of the others. The exercise's come last.
    An arm that cannot run here is stored with the reason. Beside what ``measure`` stores there are
    ``load_figures`` and ``load_invariants``. Rows of the sample data stay as they are. Raises
    LabError when sessions do not fit, another load run does not make room, or a setup fails.
    """
    exercise = workload.exercise.arms if workload.exercise else {}
    for arm in [*workload.arms.values(), *exercise.values()]:
        if not arm.missing:
            check_room(database, arm.sessions, arm.connections)
    with scratch.exclusively(database, workload.name, run):
        outcomes = _at_its_sizes(database, workload, store, run, then)
        if workload.exercise and not any(outcome.failure for outcome in outcomes):
            outcomes += _at_its_sizes(database, workload.exercise, store, run)
    return outcomes


def _at_its_sizes(
    database: Database,
    workload: Workload,
    store: Measurements,
    run: Run,
    then: Callable[[list[Outcome]], Mapping[str, Arm]] | None = None,
) -> list[Outcome]:
    """The arms on one slice, and what must hold of it afterwards."""
    with (
        scratch.made(database, tenants=workload.tenants, targets=workload.targets) as maker,
        _slice(database, workload, run, maker) as steps,
    ):
        variables = {**workload.sizes, **scratch.define_lookups(maker)}
        outcomes = list(_arms(workload, variables, maker, steps, store, run))
        if then and not any(outcome.failure for outcome in outcomes):
            more = replace(workload, arms=then(outcomes))
            outcomes += _arms(more, variables, maker, steps, store, run)
        # A crash empties the unlogged tables that invariants lean on.
        lost = scratch.is_lost(maker)
        judged = steps.unasked("not asked: the server died") if lost else steps.invariants()
        named = {"workload": workload.name, "arms": ", ".join(workload.arms)}
        store.append("load_invariants", [{**named, **row} for row in judged], run=run)
    return outcomes


def _arms(
    workload: Workload,
    variables: Mapping[str, int | float],
    maker: psycopg.Connection,
    steps: Steps,
    store: Measurements,
    run: Run,
) -> Iterator[Outcome]:
    """Run them up to the first that breaks."""
    for name, arm in workload.arms.items():
        load = workload.load(name, variables)
        if arm.missing:
            yield leave_out(load, arm.missing, store, run)
            continue
        if arm.before:
            steps.prepare(arm.before)
        scratch.checkpoint(maker)
        outcome = _measured(load, steps, store, run)
        yield outcome
        if outcome.failure:
            return


def _measured(load: Load, steps: Steps, store: Measurements, run: Run) -> Outcome:
    """Run an arm, and store what the workload's figures are after it, and rose by."""
    before = steps.figures()
    outcome = measure(steps.database, load, store, run)
    named = {"workload": load.workload, "arm": load.arm, "sessions": load.sessions}
    after = {} if outcome.failure else steps.figures()
    rows: list[dict[str, Any]] = [
        {**named, "query": query, "figure": figure, "value": value,
         "rise": value - before.get((query, figure), 0.0)}
        for (query, figure), value in after.items()
    ]  # fmt: skip
    store.append("load_figures", rows, run=run)
    return outcome


@contextmanager
def _slice(
    database: Database, workload: Workload, run: Run, maker: psycopg.Connection
) -> Iterator[Steps]:
    """What the run has of its own to work on, as long as it lasts.

    What cannot be removed from a server that died, the next run removes.
    """
    own = {"run_id": run.run_id, "tenants": workload.tenants, "targets": workload.targets}
    steps = Steps(database, workload.folder, {**workload.sizes, **own})
    steps.tear_down()  # what a killed run has left
    try:
        steps.set_up()
        yield steps
    except BaseException:
        with suppress(LabError):  # what went wrong first is told
            steps.tear_down()
        raise
    with suppress(LabError) if scratch.is_lost(maker) else nullcontext():
        steps.tear_down()


def _table(main: str, described: Any) -> dict[str, Any]:
    """A number stands for a table with nothing else."""
    return described if isinstance(described, dict) else {main: described}

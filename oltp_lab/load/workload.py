"""What a workload is: a folder of ``sql/load`` with a ``workload.toml``."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.measuring.pgbench import WAYS, Load, Script
from oltp_lab.servers import pgbouncer


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


def _table(main: str, described: Any) -> dict[str, Any]:
    """A number stands for a table with nothing else."""
    return described if isinstance(described, dict) else {main: described}

"""Workloads: the folders of ``sql/load`` with a ``workload.toml``, and running one."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from oltp_lab import sql
from oltp_lab.measuring import scratch
from oltp_lab.measuring.loads import Outcome, measure
from oltp_lab.measuring.pgbench import Load, Script, check_room
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database


@dataclass(frozen=True)
class Workload:
    """What ``workload.toml`` says: operations by weight, arms by sessions, lengths in seconds."""

    name: str
    description: str
    role: str
    tenants: int
    targets: int
    operations: Mapping[str, int]
    arms: Mapping[str, int]
    seconds: float
    warmup: float
    rate: float | None = None

    @classmethod
    def read(cls, name: str, scale: str) -> "Workload":
        """The workload of that name, as long as the scale wants it."""
        described = tomllib.loads(sql.read(f"load/{name}/workload.toml"))
        lengths = described.pop("scales")[scale]
        return cls(name=name, **described, **lengths)

    def load(self, arm: str, variables: Mapping[str, int]) -> Load:
        """The run of one arm, with one script an operation."""
        scripts = [
            Script(operation, sql.path(f"load/{self.name}/{operation}.sql"), weight)
            for operation, weight in self.operations.items()
        ]
        return Load(
            self.name,
            arm,
            scripts,
            role=self.role,
            sessions=self.arms[arm],
            seconds=self.seconds,
            warmup=self.warmup,
            rate=self.rate,
            variables=variables,
        )


def execute(database: Database, workload: Workload, store: Measurements, run: Run) -> list[Outcome]:
    """Run the arms one after the other, up to the first that breaks, and store what was measured.

    Rows of the sample data stay as they are: what is written belongs to campaigns of the run's
    own, ``external_id`` ``load:RUN_ID``. Raises LabError when sessions do not fit, or another load
    run does not make room.
    """
    outcomes: list[Outcome] = []
    check_room(database, max(workload.arms.values()))
    with (
        scratch.exclusively(database, workload.name, run),
        scratch.made(database, tenants=workload.tenants, targets=workload.targets) as maker,
    ):
        scratch.make_campaigns(database, run.run_id)
        variables = scratch.define_lookups(maker)
        for arm in workload.arms:
            scratch.checkpoint(maker)
            outcomes.append(measure(database, workload.load(arm, variables), store, run))
            if outcomes[-1].failure:
                break
    return outcomes

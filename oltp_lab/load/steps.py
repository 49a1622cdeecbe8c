"""The SQL around a workload's arms: setup, before, figures, invariants, teardown, a file each.

A file holds named queries, run in its order as lab_platform or the role in brackets after the name
(``administrator``: the owner of ``scratch_load``). ``%(run_id)s`` and the workload's sizes are
bound by the client, so that they may stand in any statement, also where there are several.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.servers import Database

_ROLE = "lab_platform"
_ADMINISTRATOR = "administrator"
_PARAMETER = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True)
class Steps:
    """The files of one workload's folder; those that it does not have do nothing."""

    database: Database
    folder: str
    parameters: Mapping[str, Any]

    def set_up(self) -> None:
        """Run ``setup.sql``: the slice of the run's own. Raises LabError naming what failed."""
        for _ in self._answers("setup.sql"):
            pass

    def prepare(self, name: str) -> None:
        """Run one query of ``before.sql``. Raises LabError naming what failed, or is not there."""
        found = [step for step in self._steps("before.sql") if step.name == name]
        if not found:
            raise LabError(f"{self.folder}/before.sql has no query {name}, which an arm asks for")
        self._execute("before.sql", found[0])

    def tear_down(self) -> None:
        """Run ``teardown.sql``, whatever became of the run. Raises LabError naming what failed."""
        for _ in self._answers("teardown.sql"):
            pass

    def figures(self) -> dict[tuple[str, str], float]:
        """What ``figures.sql`` reads off: values by query and name. Raises LabError likewise."""
        return {
            (step, str(name)): float(value)
            for step, rows in self._answers("figures.sql")
            for name, value in rows
        }

    def invariants(self) -> list[dict[str, Any]]:
        """A row for each query of ``invariants.sql``: how many violations, and the first one.

        The count is None where it could not be asked; ``first`` says why.
        """
        return [self._judged(step) for step in self._steps("invariants.sql")]

    def unasked(self, reason: str) -> list[dict[str, Any]]:
        """The same, where asking makes no sense any more."""
        return [
            {"invariant": step.name, "violations": None, "first": reason}
            for step in self._steps("invariants.sql")
        ]

    def _judged(self, step: sql.Step) -> dict[str, Any]:
        try:
            rows = self._execute("invariants.sql", step)
        except LabError as error:
            return {"invariant": step.name, "violations": None, "first": error.message}
        first = ", ".join(map(str, rows[0])) if rows else None
        return {"invariant": step.name, "violations": len(rows), "first": first}

    def _steps(self, file: str) -> tuple[sql.Step, ...]:
        path = f"{self.folder}/{file}"
        return sql.steps(path) if sql.path(path).exists() else ()

    def _answers(self, file: str) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
        for step in self._steps(file):
            yield step.name, self._execute(file, step)

    def _execute(self, file: str, step: sql.Step) -> list[tuple[Any, ...]]:
        where = f"{self.folder}/{file}: {step.name}"
        wanted = set(_PARAMETER.findall(step.text))
        if missing := sorted(wanted - self.parameters.keys()):
            raise LabError(f"{where} asks for {missing[0]}, which workload.toml does not have")
        role = None if step.role == _ADMINISTRATOR else step.role or _ROLE
        try:
            with self.database.connect(role, autocommit=True) as session:
                cursor = psycopg.ClientCursor(session)
                cursor.execute(step.text, self.parameters if wanted else None)
                return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise LabError(f"{where} failed: {str(error).splitlines()[0]}") from None

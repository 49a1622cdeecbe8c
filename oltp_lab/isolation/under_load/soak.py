"""``make soak``: asserted transactions by the million, as fast as pgbench goes, up to a leak.

``python -m oltp_lab.isolation.under_load.soak --transactions N`` ends with 1 at a leak, and stores
what it did as a row of ``load_runs``.
"""

import math
import re
import subprocess
import sys
import time
import tomllib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import click

from oltp_lab import catalog, servers, settings, sql
from oltp_lab.errors import LabError
from oltp_lab.measuring import scratch
from oltp_lab.measuring.pgbench import check_room
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database, binary, busy, processes

WORKLOAD = "isolation_soak"
PROGRESS = 30
"""Seconds from one line of progress to the next."""
_SLOWEST = 500  # transactions/s, below which it is ended
_FOLDER = "isolation/soak"
_PROGRESS = re.compile(r"progress: ([0-9.]+) s, ([0-9.]+) tps")
_PROCESSED = re.compile(r"number of transactions actually processed: (\d+)")
_ABORTED = re.compile(r"client \d+ .*aborted.*?[:;] (.*)")
_LEAK = "isolation broken"


@dataclass(frozen=True)
class Soak:
    """What ``soak.toml`` says: the scripts by their share, and how many sessions run them."""

    role: str
    sessions: int
    tenants: int
    targets: int
    operations: Mapping[str, int]

    @classmethod
    def read(cls) -> "Soak":
        return cls(**tomllib.loads(sql.read(f"{_FOLDER}/soak.toml")))

    def command(self, transactions: int, variables: Mapping[str, int]) -> list[str]:
        """pgbench's command line; each session does its share of the transactions."""
        each = math.ceil(transactions / self.sessions)
        command = [str(binary("pgbench")), "--no-vacuum", "--protocol=prepared", "--exit-on-abort"]
        command += [f"--client={self.sessions}", "--jobs=2", f"--transactions={each}"]
        command += [f"--progress={PROGRESS}"]
        command += [f"--define={name}={value}" for name, value in variables.items()]
        scripts = {sql.path(f"{_FOLDER}/{name}.sql"): n for name, n in self.operations.items()}
        return command + [f"--file={script}@{share}" for script, share in scripts.items()]


@dataclass
class _Heard:
    """What pgbench says on its way: about how many transactions, for how long, who aborted why."""

    transactions: int = 0
    seconds: float = 0.0
    aborted: int = 0
    leaks: int = 0
    failure: str | None = None

    def line(self, said: str) -> bool:
        """Take a line in; True when it tells of progress."""
        if progress := _PROGRESS.match(said):
            until, rate = map(float, progress.groups())
            self.transactions += round(rate * (until - self.seconds))
            self.seconds = until
        elif processed := _PROCESSED.match(said):
            self.transactions = int(processed[1])
        elif aborted := _ABORTED.search(said):
            self.aborted += 1
            self.leaks += _LEAK in said
            self.failure = self.failure or aborted[1]
        elif "error:" in said and not self.failure:
            self.failure = said.partition("error: ")[2].strip()
        return progress is not None


def execute(
    database: Database,
    soak: Soak,
    transactions: int,
    store: Measurements,
    run: Run,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Run so many transactions, or up to the first assertion that breaks; returns the stored row.

    Raises LabError when no tenant has rows, or another load run does not make room.
    """
    check_room(database, soak.sessions)
    with (
        scratch.exclusively(database, WORKLOAD, run),
        scratch.made(database, tenants=soak.tenants, targets=soak.targets) as maker,
        busy.busy(),
    ):
        scratch.make_campaigns(database, run.run_id)
        command = soak.command(transactions, scratch.define_lookups(maker))
        row = _drive(database, soak, command, transactions, say)
    store.append("load_runs", [row], run=run)
    return row


def _drive(
    database: Database,
    soak: Soak,
    command: list[str],
    transactions: int,
    say: Callable[[str], None],
) -> dict[str, Any]:
    # What is written here may be lost: commits need not wait for the disk.
    environment = database.environment(soak.role)
    options = f"{environment.get('PGOPTIONS', '')} -c synchronous_commit=off".strip()
    heard, began = _Heard(), time.monotonic()
    with processes.spawn(
        database.server.settings,
        command,
        limit=120 + transactions / _SLOWEST,
        environment={
            **environment,
            "PGOPTIONS": options,
            "PGAPPNAME": f"oltp_lab {WORKLOAD}",
            "LC_ALL": "C",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as child:
        assert child.stdout
        with child.stdout as lines:
            for line in lines:
                if heard.line(line):
                    say(_told(heard.transactions, heard.seconds, heard.leaks))
        status = child.wait()
    seconds = time.monotonic() - began
    if status and not heard.failure:
        heard.failure = f"pgbench ended with status {status}"
    say(
        _told(heard.transactions, seconds, heard.leaks)
        + (f"; BROKEN: {heard.failure}" if status else "")
    )
    return {
        "workload": WORKLOAD,
        "arm": f"direct_{soak.sessions}",
        "sessions": soak.sessions,
        "seconds": seconds,
        "warmup_seconds": 0.0,
        "offered_tps": None,
        "transactions": heard.transactions,
        "tps": heard.transactions / seconds,
        "failed": 0,
        "aborted": heard.aborted,
        "complete": status == 0,
        "failure": heard.failure,
        "not_sampled": "resources",
    }


def _told(transactions: int, seconds: float, leaks: int) -> str:
    return (
        f"{transactions:,} asserted transactions in {seconds:,.0f} s, "
        f"{transactions / max(seconds, 0.001):,.0f}/s, {leaks} leaks"
    )


@click.command()
@click.option("--transactions", type=click.IntRange(min=1), default=10_000_000, show_default=True)
def main(transactions: int) -> None:
    """Repeat transactions that assert their isolation, up to a number or a leak."""
    current = settings.load()
    database = servers.oltp(current)
    with database.connect() as connection:
        if not catalog.is_built(connection):
            raise LabError("there is no sample data to ask for: run the job `build` first")
    run = Run.of(database, str(uuid.uuid4()), current.scale)
    store = Measurements(current.measurements)
    row = execute(database, Soak.read(), transactions, store, run, click.echo)
    sys.exit(not row["complete"])


if __name__ == "__main__":
    main()

"""``make freshness``: is the warehouse as fresh as its policies ask while `dagster dev` keeps it?

A lab of scale smoke is built in a folder of its own and handed to `dagster dev`, with its schedule
and its sensor; five mails a second are opened meanwhile. Each minute Dagster is asked, as the UI
asks it, how fresh each asset is. The answers are printed, and kept as the measurements
``freshness_watch`` of the lab home. Exits 1 when an asset ever was anything but healthy, when one
of its checks or a run failed, and when nothing was synced.
"""

import json
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import psutil

from oltp_lab import servers, settings, sql
from oltp_lab.errors import LabError
from oltp_lab.measuring import markdown
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database, processes
from oltp_lab.settings import Settings

HERE = Path(__file__).parent
ASKED = (HERE / "freshness.graphql").read_text("utf-8")
MAILS_A_SECOND = 5
POLL_S = 60.0
STARTS_WITHIN_S = 240.0
HEALTHY = "HEALTHY"
COLUMNS = (
    "minute", "healthy", "other", "checks", "oldest_s", "batches", "micro-batches", "skipped",
    "failed", "opened", "dagster_cpu_s", "postgres_cpu_s",
)  # fmt: skip


@dataclass(frozen=True)
class Dagster:
    """`dagster dev`, and the clock at its start."""

    process: psutil.Process
    port: int
    since: float

    def ask(self) -> dict[str, Any]:
        """What it says of assets, ticks and runs; raises OSError while it does not listen yet."""
        asked = json.dumps({"query": ASKED, "variables": {"since": self.since}}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            asked,
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            answered = json.load(answer)
        if "errors" in answered:
            raise LabError(f"Dagster refused the question: {answered['errors'][0]['message']}")
        return answered["data"]


class Load(threading.Thread):
    """Opens mails at a steady rate; ``opened`` counts them."""

    def __init__(self, database: Database) -> None:
        super().__init__(daemon=True)
        self.database, self.opened, self.ended = database, 0, threading.Event()

    def run(self) -> None:
        queries = sql.queries(str(HERE / "freshness.sql"))
        choice = random.Random(1)
        with self.database.connect("lab_platform") as platform:
            mails = platform.execute(queries["mails"]).fetchall()
        names = ("tenant", "campaign", "lead", "step")
        with self.database.connect("lab_app", autocommit=True) as application:
            while not self.ended.wait(choice.expovariate(MAILS_A_SECOND)):
                mail = dict(zip(names, choice.choice(mails), strict=True))
                with application.transaction():
                    application.execute(
                        queries["opened"], {**mail, "automatic": choice.random() < 0.5}
                    )
                self.opened += 1


@contextmanager
def started(current: Settings, port: int, log: Path) -> Iterator[Dagster]:
    """`dagster dev` on a lab that is built and synced; it ends with the block."""
    environment = {**os.environ, "OLTP_LAB_HOME": str(current.home), "OLTP_LAB_SCALE": "smoke"}
    for given in ("OLTP_LAB_POSTGRES_URL", "OLTP_LAB_NEIGHBOURS_URL", "DAGSTER_POSTGRES_URL"):
        environment.pop(given, None)
    environment.pop("DAGSTER_HOME", None)
    dagster = str(Path(sys.executable).with_name("dagster"))
    with log.open("w") as output:
        for job in ("build", "analytics_sync"):
            command = [dagster, "job", "execute", "-m", "oltp_lab.definitions", "-j", job]
            done = subprocess.run(
                command, env=environment, stdout=output, stderr=output, timeout=600, check=False
            )
            if done.returncode:
                raise LabError(f"the job {job} failed: see {log}")
        since = time.time()
        command = [dagster, "dev", "-m", "oltp_lab.definitions", "-p", str(port)]
        child = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        process = psutil.Process(child.pid)
        try:
            yield Dagster(process, port, since)
        finally:
            _end(process)
            down = [sys.executable, "-m", "oltp_lab.servers", "down"]
            subprocess.run(down, env=environment, stdout=output, stderr=output, check=False)


def _end(process: psutil.Process) -> None:
    """Politely, then not; a child that has lost its parent is ended by its pid as well."""
    family = [process, *process.children(recursive=True)]
    for member in family:
        with suppress(psutil.Error):
            member.terminate()
    _, left = psutil.wait_procs(family, timeout=30)
    for member in left:
        with suppress(psutil.Error):
            member.kill()
    psutil.wait_procs(left, timeout=10)


def watch(dagster: Dagster, load: Load, minutes: int, postmasters: list[int]) -> Iterator[dict]:
    """A row each minute: the ``assets`` as they are then, and counts of what was up to then."""
    begun = time.monotonic()
    for minute in range(1, minutes + 1):
        time.sleep(max(0.0, begun + minute * POLL_S - time.monotonic()))
        if not load.is_alive():
            raise LabError("the load has ended by itself")
        answer = dagster.ask()
        assets = freshness_of(answer)
        sensor = answer["sensorOrError"]["sensorState"]["ticks"]
        runs = answer["runsOrError"]["results"]
        batches = Counter(run["jobName"] for run in runs if run["status"] == "SUCCESS")
        yield {
            "minute": minute,
            "assets": assets,
            "healthy": sum(status == HEALTHY for status, _ in assets.values()),
            "other": {name: status for name, (status, _) in assets.items() if status != HEALTHY},
            "checks": failed_checks(answer),
            "oldest_s": round(max((age for _, age in assets.values() if age), default=0.0)),
            "batches": batches["analytics_sync"],
            "micro-batches": batches["campaign_metrics"],
            "skipped": sum(tick["status"] == "SKIPPED" for tick in sensor),
            "failed": sum(run["status"] in ("FAILURE", "CANCELED") for run in runs)
            + sum(tick["status"] == "FAILURE" for tick in sensor),
            "opened": load.opened,
            "dagster_cpu_s": round(_cpu_s([dagster.process.pid])),
            "postgres_cpu_s": round(_cpu_s(postmasters)),
            "answer": answer,
        }


def freshness_of(answer: dict[str, Any]) -> dict[str, tuple[str, float | None]]:
    """Of each asset with a policy its status, and the seconds since it was last looked after."""
    assets = {}
    for node in answer["assetNodes"]:
        if info := node["freshnessStatusInfo"]:
            at = (info["freshnessStatusMetadata"] or {}).get("lastMaterializedTimestamp")
            age = time.time() - at if at else None
            assets["/".join(node["assetKey"]["path"])] = (info["freshnessStatus"], age)
    return assets


def failed_checks(answer: dict[str, Any]) -> list[str]:
    """The checks of these assets that did not pass, whatever their severity."""
    return [
        f"{'/'.join(node['assetKey']['path'])}:{check['name']}"
        for node in answer["assetNodes"]
        if node["freshnessStatusInfo"]
        for check in node["assetChecksOrError"].get("checks", ())
        if (check["executionForLatestMaterialization"] or {}).get("status")
        in ("FAILED", "EXECUTION_FAILED")
    ]


def _cpu_s(roots: list[int]) -> float:
    """Processor seconds of processes and all that they started, also of what has ended."""
    spent = 0.0
    for root in roots:
        with suppress(psutil.Error):
            for member in [psutil.Process(root), *psutil.Process(root).children(recursive=True)]:
                with suppress(psutil.Error):
                    times = member.cpu_times()
                    spent += times.user + times.system + times.children_user + times.children_system
    return spent


def _listening(dagster: Dagster) -> None:
    """Wait until the daemon has judged every asset once."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        with suppress(OSError):
            assets = freshness_of(dagster.ask())
            if assets and all(status != "UNKNOWN" for status, _ in assets.values()):
                return
        if not dagster.process.is_running():
            raise LabError("`dagster dev` has ended by itself")
        time.sleep(2)
    raise LabError(f"`dagster dev` judged no freshness within {STARTS_WITHIN_S:g} s")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@click.command()
@click.option("--minutes", type=click.IntRange(1, 24 * 60), default=30, show_default=True)
@click.option("--port", type=int, help="Where the UI listens; a free one by default.")
def main(minutes: int, port: int | None) -> None:
    """Let `dagster dev` keep a warehouse for so long, and tell how fresh it was."""
    kept = settings.load()
    folder = Path(tempfile.mkdtemp(prefix="oltp_lab-freshness-"))
    current = replace(kept, home=folder / "home", scale="smoke", postgres_url=None)
    current = replace(current, neighbours_url=None, dagster_postgres_url=None)
    rows = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that all is stopped then too
    try:
        with started(current, port or _free_port(), folder / "log") as dagster:
            click.echo(f"http://127.0.0.1:{dagster.port} (log: {folder / 'log'})")
            database = servers.oltp(current)
            _listening(dagster)
            load = Load(database)
            load.start()
            run = Run.of(database, f"freshness-{uuid.uuid4()}", "smoke")
            postmasters = [pid for pid in (_postmaster(folder, n) for n in servers.CLUSTERS) if pid]
            click.echo(markdown.table(COLUMNS, []))
            for row in watch(dagster, load, minutes, postmasters):
                rows.append(row)
                told = {**row, "other": row["other"] or "-", "checks": row["checks"] or "-"}
                click.echo(markdown.table((), [[told[name] for name in COLUMNS]]).splitlines()[-1])
            load.ended.set()
        _keep(kept, run, rows)
        click.echo("\n".join(_summed_up(rows[-1]["answer"])))
    finally:
        processes.end_all(current)
        shutil.rmtree(folder / "home", ignore_errors=True)
    sys.exit(not _well(rows))


def _postmaster(folder: Path, cluster: str) -> int | None:
    for file in (folder / "home" / cluster).rglob("postmaster.pid"):
        return int(file.read_text().splitlines()[0])
    return None


def _keep(kept: Settings, run: Run, rows: list[dict]) -> None:
    watched = [
        {"minute": row["minute"], "asset": name, "status": status, "age_s": age}
        for row in rows
        for name, (status, age) in row["assets"].items()
    ]
    Measurements(kept.measurements).append("freshness_watch", watched, run=run)


def _summed_up(answer: dict[str, Any]) -> Iterator[str]:
    """What the schedule and the sensor did, and how long runs took."""
    for name in ("sensor", "schedule"):
        ticks = answer[f"{name}OrError"][f"{name}State"]["ticks"]
        outcomes = Counter(
            re.sub(r" \(run .*\)", "", tick["skipReason"] or tick["status"].lower())
            for tick in ticks
        )
        told = ", ".join(f"{times} x {outcome}" for outcome, times in outcomes.most_common(8))
        yield f"{name}: {len(ticks)} ticks, {told}"
    lasted: dict[str, list[float]] = {}
    for run in answer["runsOrError"]["results"]:
        if run["endTime"]:
            lasted.setdefault(run["jobName"], []).append(run["endTime"] - run["startTime"])
    for job, seconds in lasted.items():
        yield (
            f"{job}: {len(seconds)} runs, {min(seconds):.1f} to {max(seconds):.1f} s, "
            f"half within {statistics.median(seconds):.1f} s"
        )


def _well(rows: list[dict]) -> bool:
    healthy = all(row["healthy"] and not row["other"] and not row["checks"] for row in rows)
    last = rows[-1]
    return healthy and not last["failed"] and last["batches"] + last["micro-batches"] > 0


if __name__ == "__main__":
    main()

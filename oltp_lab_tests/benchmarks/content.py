"""Content: what claiming it costs who saves a version, and a reconciler's pass that finds nothing.

The pass is compared with reading every reference out of both databases by COPY, without comparing
them.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from oltp_lab import servers, settings
from oltp_lab.measuring.statistics import compare
from oltp_lab.measuring.turns import in_turns
from oltp_lab.neighbours import schema
from oltp_lab.neighbours.content import fill, reconciler
from oltp_lab.neighbours.content.tiers import Tiers
from oltp_lab.servers import databases
from oltp_lab_tests.benchmarks._scratch import clone, scratch
from oltp_lab_tests.benchmarks._turns import rate

_SETUP = {
    "claimed": "select 1",
    "bare": "drop trigger claim_content on campaigns.template_versions",
}
_SAVE = """
select * from campaigns.save_template(
    '{tenant}', null, 'name', 'subject', gen_random_uuid()::text);
"""
_REFERENCES = (
    "copy (select tenant_id, storage_key, id from campaigns.template_versions)"
    " to stdout (format binary)",
    "copy (select tenant_id, storage_key, version_id from content.uses) to stdout (format binary)",
)


def measure_content_claim(rounds: int = 10) -> list[dict[str, Any]]:
    """How many times as long saving a template takes with its content claimed; one session."""
    current = settings.load()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        arms = {}
        for arm, setup in _SETUP.items():
            database = stack.enter_context(scratch(current))
            with database.connect(autocommit=True) as administrator:
                administrator.execute(setup.encode())
                (tenant,) = administrator.execute(
                    "insert into public.tenants (name, status) values ('t', 'active')"
                    " returning id::text"
                ).fetchone() or ("",)
            script = folder / f"{arm}.sql"
            script.write_text(_SAVE.format(tenant=tenant), "utf-8")
            arms[arm] = partial(rate, database, tenant, script, seconds=1)
        turns = in_turns(arms, rounds)
    cost = compare(turns["bare"], turns["claimed"])
    return [
        {
            "name": "content_claim, us/save",
            "ours": round(1e6 / statistics.median(turns["claimed"])),
            "reference": round(1e6 / statistics.median(turns["bare"])),
            "ratio": cost.ratio,
            "low": cost.low,
            "high": cost.high,
            "goal": "to compare",
            "detail": f"a new template and its first version, {rounds} turns of 1 s",
        }
    ]


def measure_content_pass(rounds: int = 8) -> list[dict[str, Any]]:
    """Milliseconds of a pass that finds nothing, against reading every reference; in turns."""
    current = settings.load()
    with clone() as oltp, databases.temporary(servers.neighbours(current, "content")) as content:
        schema.ensure(content, "content")
        tiers = Tiers(oltp, content)
        filled = fill.ensure(tiers)
        while sum(reconciler.reconcile(tiers).values()):
            pass  # until both agree
        arms = {"pass": partial(reconciler.reconcile, tiers), "copy": partial(_read_all, tiers)}
        costs = in_turns({arm: partial(_milliseconds, work) for arm, work in arms.items()}, rounds)
    ratio = compare(costs["pass"], costs["copy"])
    return [
        {
            "name": "content_pass, ms",
            "ours": round(statistics.median(costs["pass"])),
            "reference": round(statistics.median(costs["copy"])),
            "ratio": ratio.ratio,
            "low": ratio.low,
            "high": ratio.high,
            "goal": "to compare",
            "detail": f"{filled.objects:,} objects of {filled.tenants:,} tenants, {rounds} rounds",
        }
    ]


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def _read_all(tiers: Tiers) -> int:
    with tiers.worker() as sessions:
        size = 0
        for session, statement in zip(sessions, _REFERENCES, strict=True):
            with session.cursor() as reading, reading.copy(statement.encode()) as data:
                size += sum(len(block) for block in data)
        return size

"""All marts: refreshing them after 1,000 changes against building them anew.

The changes are openings of mails, mirrored by a sync. Timed is the refresh alone, in a warehouse
that is open, and after it a full one of the same state. ``detail`` has the interval of the ratio
over the turns, and the ratio of processor time, which other work on the machine does not disturb.
"""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import duckdb

from oltp_lab import settings
from oltp_lab.measuring.statistics import compare
from oltp_lab.resources.warehouse import Warehouse
from oltp_lab.sample_data import load
from oltp_lab.servers import Database
from oltp_lab.warehouse import extraction, marts
from oltp_lab.warehouse.tables import describe
from oltp_lab_tests.benchmarks._scratch import scratch

CHANGES = 1_000
GOALS = {20: 1 / 20, CHANGES: 1 / 3}
"""By how many campaigns the changes are in: at most what part of a full build a refresh costs."""

# Of each of so many campaigns the same number of mails is opened once more.
_OPEN = """
with mail as (
    select e.*, row_number() over (partition by tenant_id, campaign_id order by md5(id::text || %(turn)s)) as place
    from campaigns.events e
    where kind = 'sent'
), chosen as (
    select tenant_id, campaign_id from mail where place = %(changes)s / %(campaigns)s
    order by md5(campaign_id::text || %(turn)s) limit %(campaigns)s
)
insert into campaigns.events (tenant_id, campaign_id, lead_id, step_id, email_account_id, kind, occurred_at)
select tenant_id, campaign_id, lead_id, step_id, email_account_id, 'opened', occurred_at + interval '1 hour'
from mail join chosen using (tenant_id, campaign_id)
where place <= %(changes)s / %(campaigns)s
"""  # noqa: E501

Cost = tuple[float, float]


def measure_marts_increment(rounds: int = 10) -> list[dict[str, Any]]:
    """Milliseconds for all marts, of the sample data at the scale of the settings."""
    current = settings.load()
    costs: Mapping[int, list[tuple[Cost, Cost]]] = {campaigns: [] for campaigns in GOALS}
    with scratch(current) as database, tempfile.TemporaryDirectory(dir=current.home) as folder:
        load.ensure(database, current.scale, seed=1)
        with Warehouse(database=str(Path(folder) / "measured.duckdb")).open() as connection:
            extraction.sync(connection, database, describe(database))
            marts.refresh(connection)
            for turn in range(rounds + 1):
                for campaigns, taken in costs.items():
                    change(database, campaigns, turn)
                    extraction.sync(connection, database, describe(database))
                    pair = _refresh(connection), _refresh(connection, full_refresh=True)
                    if turn:  # the first one warms up
                        taken.append(pair)
    return [_row(current.scale, campaigns, taken) for campaigns, taken in costs.items()]


def change(database: Database, campaigns: int, turn: int) -> None:
    """Open 1,000 mails of so many campaigns."""
    with database.connect("lab_platform") as platform:
        wanted = {"turn": str(turn), "campaigns": campaigns, "changes": CHANGES}
        made = platform.execute(_OPEN, wanted).rowcount
    assert made == CHANGES, f"{made} changes instead of {CHANGES}"


def _refresh(connection: duckdb.DuckDBPyConnection, **options: Any) -> Cost:
    """Milliseconds on the wall's clock and on the processors'."""
    began, worked = time.perf_counter(), time.process_time()
    marts.refresh(connection, **options)
    return (time.perf_counter() - began) * 1000, (time.process_time() - worked) * 1000


def _row(scale: str, campaigns: int, pairs: list[tuple[Cost, Cost]]) -> dict[str, Any]:
    increments, builds = zip(*pairs, strict=True)
    wall, cpu = (
        compare([cost[clock] for cost in increments], [cost[clock] for cost in builds])
        for clock in (0, 1)
    )
    return {
        "name": f"marts_increment ({scale}), {campaigns} campaigns, ms",
        "ours": round(median(wall for wall, _ in increments), 1),
        "reference": round(median(wall for wall, _ in builds), 1),
        "ratio": wall.ratio,
        "goal": f"<= {GOALS[campaigns]:.3f}",
        "detail": f"{CHANGES} changes in {campaigns} campaigns, {len(marts.discovered())} marts; "
        f"interval {wall.low:.3f} to {wall.high:.3f}; processor time {cpu.ratio:.3f} "
        f"({cpu.low:.3f} to {cpu.high:.3f})",
    }

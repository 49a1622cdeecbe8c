"""Claiming due steps: against a bare update with SKIP LOCKED, and a large backlog against a small.

Tenants are sized by Zipf's law. What was claimed is then put off as if it had been executed, at
the end of its tenant's queue, so that each backlog keeps its size. A claim's time is the
statement's; the commit, which both sides pay alike, is left out.
"""

import random
import statistics
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg

from oltp_lab import settings
from oltp_lab.measuring.statistics import compare
from oltp_lab.settings import Settings
from oltp_lab_tests.benchmarks._scratch import scratch

SMALL, LARGE = 10_000, 1_000_000
TENANTS = 500
BATCH = 100
_WARM_UP = 6  # after five executions the server decides whether a plan is kept
_BLOCKS = 10

# One campaign of one step for each tenant; twenty leads enrolled at a time, which stay together.
# The leads themselves nobody looks at.
_FILL = """
insert into public.tenants (name, status)
select 'tenant ' || n, 'active' from generate_series(1, {tenants}) as n;
insert into campaigns.campaigns (tenant_id, name) select id, 'campaign' from public.tenants;
insert into campaigns.steps (tenant_id, campaign_id, position)
select tenant_id, id, 1 from campaigns.campaigns;
alter table campaigns.enrollments drop constraint enrollments_lead_fkey;
alter table campaigns.enrollments disable trigger user;
insert into campaigns.enrollments (tenant_id, campaign_id, lead_id, step_id, due_at, change_xid)
select step.tenant_id, step.campaign_id, gen_random_uuid(), step.id,
       now() - interval '1 day' + n * interval '1 ms', pg_current_xact_id()::text::bigint
from (select array_agg(s) as step from campaigns.steps s) as all_of_them,
    generate_series(0, {rows} - 1) as n
cross join lateral (select (
    all_of_them.step[ceil({tenants} ^ ((hashint4(n / 20) & 65535) / 65536.0))::integer]).*) as step;
alter table campaigns.enrollments enable trigger user;
alter table campaigns.enrollments add constraint enrollments_lead_fkey
    foreign key (tenant_id, lead_id) references campaigns.leads (tenant_id, id) not valid;
"""
_OURS = "select tenant_id, enrollment_id from campaigns.claim_due_steps(%(batch)s)"
# The same index from a tenant on, whoever comes there; nothing else, and as fast as it goes.
_BARE = """
update campaigns.enrollments as e set claimed_until = now() + interval '5 minutes'
where e.ctid = any (array(
    select due.ctid from campaigns.enrollments as due
    where due.tenant_id >= %(start)s and due.status = 'active' and due.due_at <= now()
    order by due.tenant_id, due.due_at limit %(batch)s for no key update skip locked))
returning e.tenant_id, e.id
"""
_EXECUTED = """
update campaigns.enrollments as e set claimed_until = null, due_at = clock_timestamp()
from unnest(%s::uuid[], %s::uuid[]) as done (tenant_id, id)
where e.tenant_id = done.tenant_id and e.id = done.id
"""


class _Backlog:
    """So many due enrollments, and a worker's session."""

    def __init__(self, worker: psycopg.Connection) -> None:
        self.worker = worker
        worker.prepare_threshold = 0
        sizes = "select tenant_id from campaigns.enrollments group by 1 having count(*) >= 20"
        self.tenants: list[uuid.UUID] = [tenant for (tenant,) in worker.execute(sizes.encode())]
        worker.commit()

    def microseconds(self, statement: str) -> float:
        """What a claimed step costs."""
        arguments = {"batch": BATCH, "start": random.choice(self.tenants[:-5])}
        began = time.perf_counter()
        claimed = self.worker.execute(statement.encode(), arguments).fetchall()
        seconds = time.perf_counter() - began
        assert len(claimed) == BATCH, f"{len(claimed)} claimed of {BATCH}"
        self.worker.commit()
        self.worker.execute(_EXECUTED, [list(ids) for ids in zip(*claimed, strict=True)])
        self.worker.commit()
        return seconds / BATCH * 1e6


def measure_claims(rounds: int = 200) -> list[dict[str, Any]]:
    """Microseconds a step, arms in random order each round; the ratio of medians in ten blocks."""
    current = settings.load()
    with ExitStack() as stack:
        large, small = (stack.enter_context(_filled(current, rows)) for rows in (LARGE, SMALL))
        arms = {"large": (large, _OURS), "bare": (large, _BARE), "small": (small, _OURS)}
        costs: dict[str, list[float]] = {arm: [] for arm in arms}
        for turn in range(rounds + _WARM_UP):
            for arm in random.sample(list(arms), len(arms)):
                backlog, statement = arms[arm]
                cost = backlog.microseconds(statement)
                if turn >= _WARM_UP:
                    costs[arm].append(cost)
    blocks = {arm: _medians(values) for arm, values in costs.items()}
    ours, bare, small_cost = (statistics.median(costs[arm]) for arm in ("large", "bare", "small"))
    rate = compare(blocks["bare"], blocks["large"])
    growth = compare(blocks["large"], blocks["small"])
    return [
        {
            "name": "claim_due_steps, steps/s",
            "ours": round(1e6 / ours),
            "reference": round(1e6 / bare),
            "ratio": rate.ratio,
            "goal": ">= 0.7",
            "detail": f"95 % interval {rate.low:.2f} to {rate.high:.2f}; {TENANTS} tenants, "
            f"{LARGE:,} due, batches of {BATCH}",
        },
        {
            "name": "claim_backlog, us/step",
            "ours": round(ours, 1),
            "reference": round(small_cost, 1),
            "ratio": growth.ratio,
            "goal": "<= 1.2",
            "detail": f"95 % interval {growth.low:.2f} to {growth.high:.2f}; {LARGE:,} due against "
            f"{SMALL:,}",
        },
    ]


def _medians(values: list[float]) -> list[float]:
    """Of neighbouring rounds, so that a disturbance of the machine hits all arms of a block."""
    size = len(values) // _BLOCKS
    return [statistics.median(values[n * size : (n + 1) * size]) for n in range(_BLOCKS)]


@contextmanager
def _filled(current: Settings, rows: int) -> Iterator[_Backlog]:
    with scratch(current) as database:
        with database.connect(autocommit=True) as administrator:
            administrator.execute(_FILL.format(rows=rows, tenants=TENANTS).encode())
            administrator.execute("vacuum (analyze) campaigns.enrollments, public.tenants")
            administrator.execute("checkpoint")
        with database.connect("lab_platform") as worker:
            yield _Backlog(worker)

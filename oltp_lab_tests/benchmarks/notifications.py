"""Notifications: relay against PgQueuer's own enqueue, commit to mailbox, and what triggers cost.

The trigger is compared with none, with one that notifies, and with none while a logical slot is
read: four clones, in turns.
"""

import asyncio
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, LiteralString

import numpy as np
import psycopg
from pgqueuer.adapters.drivers.psycopg import PsycopgDriver
from pgqueuer.adapters.persistence.qb import QueryQueueBuilder
from pgqueuer.domain.settings import DBSettings
from pgqueuer.queries import Queries

from oltp_lab import settings, sql
from oltp_lab.measuring.statistics import compare
from oltp_lab.neighbours.notifications import relay, wave
from oltp_lab.neighbours.notifications.relay import Places, Terms
from oltp_lab.neighbours.notifications.wave import Place
from oltp_lab.servers import Database
from oltp_lab_tests.benchmarks._scratch import clone, scratch
from oltp_lab_tests.benchmarks._turns import rate

EVENTS, ROUNDS = 20_000, 6
RATE, SECONDS = 200, 10
_FILL = """
insert into integration.outbox (tenant_id, topic, payload)
select gen_random_uuid(), 'notification.due', '{}'
from generate_series(1, %s)
"""


def measure_outbox_relay() -> list[dict[str, Any]]:
    """Mails a second, each a tenant's own, in turns with jobs: batches of the same size."""
    current = settings.load()
    ours: list[float] = []
    bare: list[float] = []
    with (
        scratch(current) as oltp,
        wave.place(current, oltp) as place,
        oltp.connect(autocommit=True) as session,
        place.queue.connect(autocommit=True) as queue,
    ):
        payload = b""
        for _ in range(ROUNDS + 1):
            session.execute("truncate integration.outbox")
            session.execute(_FILL.encode(), [EVENTS])
            queue.execute("truncate queue.pgqueuer, queue.pgqueuer_log")
            ours.append(_rate(lambda: relay.drain(Places(oltp, place.queue))))
            (payload,) = queue.execute("select payload from queue.pgqueuer limit 1").fetchone() or (
                b"",
            )
            queue.execute("truncate queue.pgqueuer, queue.pgqueuer_log")
            bare.append(_rate(lambda: asyncio.run(_enqueue(place.queue, bytes(payload)))))  # noqa: B023
    ratio = compare(ours[1:], bare[1:])
    return [
        {
            "name": "outbox_relay, events/s",
            "ours": round(statistics.median(ours[1:])),
            "reference": round(statistics.median(bare[1:])),
            "ratio": ratio.ratio,
            "low": ratio.low,
            "high": ratio.high,
            "goal": ">= 0.3",
            "detail": f"{ROUNDS} rounds of {EVENTS:,} mails, batches of {Terms.batch}",
        }
    ]


def _rate(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return EVENTS / (time.perf_counter() - began)


async def _enqueue(queue: Database, payload: bytes) -> None:
    async with await psycopg.AsyncConnection.connect(
        queue.conninfo("lab_platform"), autocommit=True
    ) as session:
        builder = QueryQueueBuilder(DBSettings(db_schema="queue"))
        queries = Queries(PsycopgDriver(session), qbq=builder)
        for _ in range(EVENTS // Terms.batch):
            some = Terms.batch
            await queries.enqueue(["deliver"] * some, [payload] * some, [0] * some)


_RUNNING = """
insert into campaigns.campaigns (tenant_id, name, status, started_at)
select chosen.tenants[1 + n %% 10], 'latency ' || n, 'running', now()
from generate_series(1, %s) as n,
    (select array_agg(t.id) as tenants
     from (select id from public.tenants
           where status = 'active' order by id limit 10) as t) as chosen
returning tenant_id, id
"""
_FINISH: LiteralString = """
update campaigns.campaigns c set status = 'finished', finished_at = now(), updated_at = now()
where c.tenant_id = %s and c.id = %s
"""


def measure_notification_latency() -> list[dict[str, Any]]:
    """From the commit of what happened until its last mail is in the mailbox, at a fixed rate."""
    current = settings.load()
    with clone() as oltp, wave.place(current, oltp) as place:
        with oltp.connect() as administrator:
            administrator.execute("delete from integration.outbox")
            administrator.execute("delete from integration.notification_preferences")
            administrator.execute("delete from configuration.tenant_policies")
            campaigns = administrator.execute(_RUNNING.encode(), [RATE * SECONDS]).fetchall()
            administrator.execute(sql.queries("neighbours/notifications/wave.sql")["note_events"])
        committed = _offer(place, campaigns)
        with oltp.connect() as session:
            events = session.execute(
                "select 'event ' || id, (payload ->> 'campaign_id')::uuid from public.wave_events"
            ).fetchall()
        arrived: dict[str, float] = {}
        for line in place.mailbox.read_text("utf-8").splitlines():
            mail = json.loads(line)
            arrived[mail["event"]] = max(arrived.get(mail["event"], 0.0), mail["at"])
    delays = [
        1000 * (arrived[event] - committed[campaign])
        for event, campaign in events
        if event in arrived
    ]
    p50, p99 = np.percentile(delays, [50, 99])
    return [
        {
            "name": "notification_latency, p99 ms",
            "ours": round(float(p99)),
            "reference": 250,
            "ratio": float(p99) / 250,
            "goal": "< 1",
            "detail": f"p50 {p50:.0f} ms; {len(delays)} of {len(committed)} events arrived, "
            f"{RATE} events/s for {SECONDS} s",
        }
    ]


def _offer(place: Place, campaigns: list[Any]) -> dict[Any, float]:
    """When each campaign's end was committed, the worker being warm."""
    committed: dict[Any, float] = {}
    terms = ("--burst", "1000000")
    with (
        place.sink() as port,
        place.relay(*terms),
        place.worker(port),
        place.oltp.connect("lab_platform", autocommit=True) as session,
    ):
        time.sleep(2)
        began = time.perf_counter()
        for number, (tenant, campaign) in enumerate(campaigns):
            time.sleep(max(0.0, began + number / RATE - time.perf_counter()))
            session.execute(_FINISH, [tenant, campaign])
            committed[campaign] = time.time()
        until = time.monotonic() + 30
        while time.monotonic() < until:
            (left,) = session.execute(
                "select (select count(*) from integration.outbox) + (select count(*)"
                " from integration.notifications where status = 'pending'"
                " and dedupe_key like 'event %')"
            ).fetchone() or (0,)
            if not left:
                break
            time.sleep(0.2)
    return committed


_SETUP = {
    "none": "drop trigger publish on campaigns.campaigns",
    "trigger": "select 1",
    "trigger and NOTIFY": "create function public.wake() returns trigger language plpgsql as"
    " $$begin perform pg_notify('outbox', null); return null; end$$;\n"
    "create trigger wake after insert on integration.outbox execute function public.wake()",
    "logical decoding": "drop trigger publish on campaigns.campaigns;\n"
    "create publication told for table campaigns.campaigns;\n"
    "select pg_create_logical_replication_slot('bench_told', 'pgoutput')",
}
_CHANGE = """
\\set n random(1, 200)
update campaigns.campaigns c
set status = case c.status when 'running' then 'paused' else 'running' end, updated_at = now()
where c.tenant_id = :tenant
  and c.id = ('00000000-0000-7000-8000-' || lpad((:n)::text, 12, '0'))::uuid;
"""
_READ = (
    "select count(*) from pg_logical_slot_get_binary_changes('bench_told', null, 2000,"
    " 'proto_version', '1', 'publication_names', 'told')"
)


def measure_trigger_cost(rounds: int = 10) -> list[dict[str, Any]]:
    """How many times as long a campaign's change of status takes; one session, arms in turns."""
    current = settings.load()
    with ExitStack() as stack:
        arms = {
            arm: stack.enter_context(_changing(current, setup)) for arm, setup in _SETUP.items()
        }
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        turns: dict[str, list[float]] = {arm: [] for arm in arms}
        for turn in range(rounds + 1):
            for arm, (database, tenant) in arms.items():
                script = folder / "change.sql"
                script.write_text(_CHANGE.replace(":tenant", f"'{tenant}'"), "utf-8")
                with database.connect(autocommit=True) as administrator:
                    administrator.execute("truncate integration.outbox")
                with _reading(database) if arm == "logical decoding" else ExitStack():
                    found = rate(database, tenant, script, 1)
                if turn:  # the first warms up
                    turns[arm].append(found)
        with arms["logical decoding"][0].connect(autocommit=True) as administrator:
            administrator.execute("select pg_drop_replication_slot('bench_told')")
    rows = []
    for arm in list(_SETUP)[1:]:
        cost = compare(turns["none"], turns[arm])
        rows.append(
            {
                "name": f"trigger_cost, {arm}"[:34],
                "ours": round(1e6 / statistics.median(turns[arm])),
                "reference": round(1e6 / statistics.median(turns["none"])),
                "ratio": cost.ratio,
                "low": cost.low,
                "high": cost.high,
                "goal": "<= 1.3" if arm == "trigger" else "to compare",
                "detail": f"us a change, {rounds} turns of 1 s",
            }
        )
    return rows


@contextmanager
def _changing(current: settings.Settings, setup: str) -> Iterator[tuple[Database, str]]:
    """200 campaigns of one tenant that may run and pause."""
    with scratch(current) as database:
        with database.connect(autocommit=True) as administrator:
            for statement in setup.split(";\n"):
                administrator.execute(statement.encode())
            (tenant,) = administrator.execute(
                "insert into public.tenants (name, status) values ('t', 'active')"
                " returning id::text"
            ).fetchone() or ("",)
            administrator.execute(
                "insert into campaigns.campaigns (tenant_id, id, name, status, started_at)"
                " select %s, ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'c',"
                " 'running', now() from generate_series(1, 200) as n",
                [tenant],
            )
        yield database, tenant


@contextmanager
def _reading(database: Database) -> Iterator[None]:
    """The slot is read all the while."""
    ended = threading.Event()

    def read() -> None:
        with database.connect(autocommit=True) as session:
            while not ended.wait(0.05):
                session.execute(_READ.encode())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        ended.set()
        reader.join()

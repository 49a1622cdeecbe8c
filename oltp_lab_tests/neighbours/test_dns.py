"""Domains are verified over real DNS; what the verifier gets wrong is noticed."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import dagster as dg
import psycopg
import pytest

from oltp_lab.errors import LabError
from oltp_lab.findings import finding
from oltp_lab.measuring.store import Measurements
from oltp_lab.neighbours.dns import run, verify, world
from oltp_lab.neighbours.dns.assets import (
    CHECKS,
    dns_recheck,
    dns_recheck_schedule,
    dns_verification,
)
from oltp_lab.neighbours.dns.resolver import Resolver
from oltp_lab.neighbours.dns.world import Server, World
from oltp_lab.resources import Oltp
from oltp_lab.sample_data import rules
from oltp_lab.servers import Database
from oltp_lab.settings import Settings

AT = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


@pytest.fixture
def original(seeded: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The filled database, as the asset is handed it."""
    monkeypatch.setattr(Oltp, "database", lambda _: seeded)
    return seeded


@pytest.fixture
def made(seeded: Database) -> Iterator[World]:
    with world.made(seeded, seed=1, at=AT) as dealt:
        yield dealt


@pytest.fixture
def server(settings: Settings, made: World) -> Iterator[Server]:
    with world.served(settings, made.zone(1)) as running:
        yield running


def test_the_asset_its_checks_and_its_card(
    settings: Settings, original: Database, smoke: dict[str, Any]
) -> None:
    assert original.name
    result = dg.materialize([dns_verification], resources=smoke)
    told = {e.check_name: (e.passed, e.description) for e in result.get_asset_check_evaluations()}
    assert told.keys() == CHECKS.keys()
    assert all(passed for passed, _ in told.values()), told
    found = finding.read(Measurements(settings.measurements), "dns")
    assert found.card and found.card["tone"] == "good", found.headline
    assert found.figures["cases"] > 40
    assert all(frame is not None and len(frame) for frame in found.frames.values())


def test_what_is_due_is_looked_up_when_the_schedule_says(original: Database) -> None:
    resources = {"oltp": Oltp()}

    def tick() -> dg.RunRequest | dg.SkipReason:
        with dg.build_schedule_context(resources=resources):
            return cast(dg.RunRequest | dg.SkipReason, dns_recheck_schedule(oltp=Oltp()))

    before = _statuses(original)
    assert isinstance(tick(), dg.RunRequest)
    result = dg.materialize([dns_recheck], resources=resources)
    (check,) = result.get_asset_check_evaluations()
    assert check.passed
    (told,) = result.asset_materializations_for_node("neighbours__dns_recheck")
    assert told.metadata["domains"].value == sum(status != "decommissioned" for _, status in before)
    assert tick() == dg.SkipReason("no domain is due")
    with original.connect("lab_platform") as session:  # nothing but history has become of it
        found = session.execute(
            "select count(*) filter (where checked_at >= %s), count(drift) filter (where"
            " checked_at >= %s) from infrastructure.dns_checks", [AT, AT]
        ).fetchone()  # fmt: skip
        assert found == (told.metadata["records"].value, 0)
        rules.prepare(session)
        for rule in rules.rules():
            verdict = rules.judge(session, rule)
            assert not verdict.offending, (rule.name, verdict.examples)
    assert _statuses(original) == before


def test_a_wrong_verdict_is_noticed(made: World, server: Server, seeded: Database) -> None:
    """The oracle's negative control: a judge that takes any key, and a history that was mended."""
    run.verified(seeded, server.port, AT)
    phase = {"phase": 1, "since": AT, "until": AT + DAY}
    assert not made.rows("wrong_verdicts", **phase)
    with seeded.connect() as administrator:
        administrator.execute(
            "update infrastructure.dns_checks c set status = 'ok', error = null"
            " from infrastructure.dns_records r where r.id = c.dns_record_id"
            " and r.kind = 'dkim' and c.status in ('missing', 'invalid') and c.checked_at = %s",
            [AT],
        )
        administrator.execute("update infrastructure.domains set status = 'failing' where"
                              " status = 'verified' and id in (select domain_id from"
                              " infrastructure.dns_records group by 1"
                              " having bool_and(status = 'ok'))")  # fmt: skip
        administrator.execute("update infrastructure.dns_checks set drift = 'changed'"
                              " where checked_at = %s", [AT])  # fmt: skip
    assert made.rows("wrong_verdicts", **phase)
    assert made.rows("wrong_domains")
    assert made.rows("unverified_without_proof", since=AT)
    assert made.rows("wrong_drift")
    assert made.rows("wrong_schedule", since=AT, retried=AT + DAY, last=AT)


def test_a_dead_server_unverifies_nobody(seeded: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "CONCURRENCY", 5)
    before = _statuses(seeded)
    with (
        seeded.connect("lab_platform", autocommit=True) as claims,
        seeded.connect("lab_platform", autocommit=True) as notes,
        pytest.raises(LabError, match="answers nothing"),
    ):
        nobody = Resolver(9, timeout=0.05, lifetime=0.1)  # discard
        asyncio.run(_watched(claims, notes, nobody, seeded))
    assert _statuses(seeded) == before
    with seeded.connect() as administrator:
        failed = administrator.execute(
            "select count(*), min(d.next_check_at), max(d.next_check_at)"
            " from infrastructure.dns_checks c join infrastructure.dns_records r"
            " on r.id = c.dns_record_id join infrastructure.domains d on d.id = r.domain_id"
            " where c.status = 'failed' and c.checked_at = %s",
            [AT],
        ).fetchone()
    assert failed and failed[0] > 0
    assert AT + timedelta(minutes=5) <= failed[1] <= failed[2] <= AT + timedelta(minutes=15)


async def _watched(
    claims: psycopg.Connection,
    notes: psycopg.Connection,
    asked: Resolver,
    database: Database,
) -> None:
    """Whoever is asked, finds no transaction of the application open."""
    original, status = asked.ask, psycopg.pq.TransactionStatus

    async def ask(name: str, kind: str) -> list[str]:
        assert claims.info.transaction_status in (status.IDLE, status.ACTIVE)  # none is open
        return await original(name, kind)

    asked.ask = ask
    assert database.name
    await verify.verify(claims, notes, asked, AT, concurrency=5)


def _statuses(database: Database) -> list[tuple]:
    with database.connect() as administrator:
        return administrator.execute(
            "select id, status from infrastructure.domains order by id"
        ).fetchall()


def test_retries_back_off_up_to_a_day(database: Database) -> None:
    with database.connect("lab_platform") as session:
        waits = [
            session.execute(
                "select infrastructure.dns_recheck_after('verified', '1 day', %s, %s::uuid)",
                [failures, "00000000-0000-7000-8000-000000000000"],
            ).fetchone()[0]  # pyright: ignore[reportOptionalSubscript]
            for failures in (0, 1, 2, 3, 50)
        ]
    assert waits[0] == DAY
    assert [round(wait / waits[1]) for wait in waits[1:4]] == [1, 2, 4]
    assert timedelta(minutes=5) <= waits[1] < timedelta(minutes=6.25)
    assert DAY <= waits[4] < DAY * 1.25

"""Domains are verified over real DNS; what the verifier gets wrong is noticed."""

import asyncio
import uuid
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


def test_who_cannot_prove_a_name_does_not_get_it(
    made: World, server: Server, seeded: Database
) -> None:
    """A judge that believes anything gives names away, and that is noticed."""
    (before,) = made.rows("outcomes", since=AT)
    assert before["claimants"] > 3
    with seeded.connect() as administrator:
        administrator.execute(
            "create or replace function infrastructure.judge_dns_record(kind text, expected text,"
            " observed text[], lookups integer default null, authorized boolean default null)"
            " returns text language sql immutable parallel safe as $$ select 'ok' $$"
        )
    made.session.execute(  # the owners are late
        "update infrastructure.domains d set next_check_at = 'infinity'"
        " from claimants c where d.tenant_id = c.owner_tenant_id and d.id = c.owner_domain_id"
    )
    run.verified(seeded, server.port, AT)
    (after,) = made.rows("outcomes", since=AT)
    assert (before["stolen"], after["stolen"] > 0) == (0, True)
    assert any(row["role"] and row["status"] == "verified" for row in made.rows("wrong_domains"))


def test_a_server_that_dies_unverifies_nobody_and_may_come_back(
    settings: Settings, seeded: Database, made: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "CONCURRENCY", 5)
    before = _statuses(seeded)
    with world.served(settings, made.zone(1)) as running:
        running.process.kill()
        running.process.wait()
        with (
            seeded.connect("lab_platform", autocommit=True) as claims,
            seeded.connect("lab_platform", autocommit=True) as notes,
            pytest.raises(LabError, match="answers nothing"),
        ):
            nobody = Resolver(running.port, timeout=0.05, lifetime=0.1)
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
    later = AT + timedelta(minutes=16)
    with world.served(settings, made.zone(1)) as back:
        tally = run.verified(seeded, back.port, later)
    assert tally.domains == sum(status != "decommissioned" for _, status in before)
    assert not made.rows("wrong_verdicts", phase=1, since=later, until=later + DAY)
    assert not made.rows("unverified_without_proof", since=AT)


POLICIES = [
    # Asked for, published there, published where, judged.
    ("mail.one.example", None, ("one.example", "v=DMARC1; p=none; sp=reject"), "ok"),
    ("mail.two.example", None, ("two.example", "v=DMARC1; p=none; sp=all"), "invalid"),
    ("mail.three.example", "v=DMARC1; p=wrong", ("three.example", "v=DMARC1; p=none"), "invalid"),
    ("a.b.acme.co.uk", None, ("acme.co.uk", "v=DMARC1; p=reject"), "ok"),
    ("a.b.beta.co.uk", None, ("b.beta.co.uk", "v=DMARC1; p=reject"), "missing"),
    ("gamma.co.uk", None, ("co.uk", "v=DMARC1; p=reject"), "missing"),
]


def test_a_policy_may_be_the_organizations(settings: Settings, database: Database) -> None:
    zone = [(f"_dmarc.{at}", "TXT", text) for _, _, (at, text), _ in POLICIES]
    zone += [(f"_dmarc.{host}", "TXT", own) for host, own, _, _ in POLICIES if own]
    name, expected = str(uuid.uuid4()), "v=DMARC1; p=none; rua=mailto:dmarc@mailer.example"

    async def look_up(port: int) -> list[dict[str, Any]]:
        asked = Resolver(port)
        try:
            return [
                await verify.look_up(
                    verify.Record(name, name, "dmarc", "TXT", f"_dmarc.{host}", expected), asked
                )
                for host, *_ in POLICIES
            ]
        finally:
            await asked.close()

    with world.served(settings, zone) as running:
        answers = asyncio.run(look_up(running.port))
    with database.connect() as session:
        judge = "select infrastructure.judge_dns_record('dmarc', %s, %s)"
        judged = [
            session.execute(judge, [expected, answer["values"]]).fetchone() for answer in answers
        ]
    assert judged == [(status,) for *_, status in POLICIES]


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

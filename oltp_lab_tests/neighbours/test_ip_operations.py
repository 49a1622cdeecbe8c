"""One trial of the addresses; each check finds the damage that it is there for."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, LiteralString

import dagster as dg
import psycopg
import pytest

from oltp_lab import sql
from oltp_lab.findings import finding
from oltp_lab.measuring.store import Measurements
from oltp_lab.neighbours.addresses import run, trial
from oltp_lab.neighbours.addresses.assets import ip_operations
from oltp_lab.neighbours.addresses.run import CHECKS, Judged
from oltp_lab.neighbours.addresses.trial import Extent, Trial
from oltp_lab.resources import Oltp
from oltp_lab.servers import Database, databases
from oltp_lab.settings import Settings

EXTENT = replace(Extent.of("smoke"), days=10)
_CHECKS = sql.queries("neighbours/addresses/checks.sql")
_ONE = (
    "create temp table one on commit drop as"
    " select i.id, i.vps_instance_id from infrastructure.smtp_ips i"
    " join public.tenants t on t.id = i.owner_tenant_id and t.name like 'trial-%' limit 1"
)
DAMAGE: dict[str, list[LiteralString]] = {
    "over_cap": [
        "update infrastructure.daily_sends s set sent = sent + 1"
        " where smtp_ip_id in (select smtp_ip_id from trial.warmth where warmup_curve = 'mailbox')"
    ],
    "two_owners": [
        "insert into trial.contested"
        " select smtp_ip_id, gen_random_uuid() from trial.contested limit 1",
        "update infrastructure.smtp_ips set owner_tenant_id = gen_random_uuid() where id ="
        " (select id from one)",
        "update infrastructure.daily_sends set tenant_id = gen_random_uuid()"
        " where smtp_ip_id = (select smtp_ip_id from trial.cases where place = 1)",
    ],
    "wrong_band": [
        "update infrastructure.reputation_samples set health = 'watched'"
        " where subject_id = (select smtp_ip_id from trial.cases where place = 1)",
        "update trial.cases set sent = sent * 2, intended = 'throttled' where place = 1",
    ],
    "untold": [
        "delete from trial.moves where stage = 'storm' and replacement is not null",
        "insert into trial.moves select * from trial.moves"
        " where stage = 'storm' and replacement is not null",
        "update trial.moves set replacement = (select smtp_ip_id from trial.cases where place = 1)"
        " where stage = 'storm' and replacement is not null",
    ],
    "on_the_dead": [
        "update infrastructure.smtp_ips set health = 'blocked' where id = (select id from one)",
        "update infrastructure.vps_instances set status = 'failed' where id ="
        " (select vps_instance_id from one)",
        "update trial.doomed set sent_before = -1 where cause = 'blocklisted'",
    ],
    "left_behind": [
        "update infrastructure.smtp_ips i set owner_tenant_id = null, status = 'available',"
        " health = 'healthy' where i.id = (select id from one)",
        "insert into trial.outcomes values ('race', 'allocate', 'refused though free', 1)",
    ],
    "not_given_up": [
        "update infrastructure.email_accounts a set status = 'active' from infrastructure.domains d"
        " where d.id = a.domain_id and d.status = 'decommissioned'",
        "update infrastructure.vps_instances set status = 'retired',"
        " retired_at = now() where id = (select vps_instance_id from one)",
    ],
}


@pytest.fixture(scope="module")
def lived(seeded_template: Database) -> Iterator[tuple[Trial, Judged]]:
    """A trial that was lived through, its tables still there."""
    with (
        databases.temporary(seeded_template, seeded_template) as original,
        trial.made(original, EXTENT) as made,
    ):
        yield made, run.lived(made, EXTENT, time.perf_counter())


@pytest.fixture
def broken(lived: tuple[Trial, Judged]) -> Callable[[str, LiteralString], list[Any]]:
    """What a check finds after a statement, which is undone."""
    made, _ = lived

    def broken(check: str, damage: LiteralString) -> list[Any]:
        with made.database.connect() as administrator:
            administrator.execute("set local session_replication_role = replica")
            administrator.execute(_ONE)
            assert administrator.execute(damage).rowcount > 0
            found = administrator.execute(_CHECKS[check], run.moments(made, EXTENT)).fetchall()
            administrator.rollback()
            return found

    return broken


def test_every_promise_is_kept(lived: tuple[Trial, Judged]) -> None:
    _, judged = lived
    assert {check: judged.told(check) for check in CHECKS} == {check: [] for check in CHECKS}
    assert judged.figures["mails"] == judged.figures["allowed"]  # the warm-up is used to the last
    assert judged.figures["without"] > 0  # spare addresses were fewer than failed
    assert judged.shortage
    assert "no address is free" in judged.shortage
    outcomes = {(o["operation"], o["outcome"]) for o in judged.outcomes}
    assert ("assign", "not_available") in outcomes
    assert ("allocate", "no_free_address") in outcomes


@pytest.mark.parametrize(
    ("check", "damage"),
    [(check, damage) for check, all_of_it in DAMAGE.items() for damage in all_of_it],
)
def test_each_check_finds_its_damage(
    broken: Callable[[str, LiteralString], list[Any]], check: str, damage: LiteralString
) -> None:
    assert broken(check, damage)


def test_every_check_is_damaged() -> None:
    assert DAMAGE.keys() == CHECKS.keys()


def test_a_trial_in_which_nothing_happened_proves_nothing(lived: tuple[Trial, Judged]) -> None:
    _, judged = lived
    idle = replace(judged, figures={**judged.figures, "conflicts": 0})
    assert all(idle.told(check) for check in CHECKS)


def test_rested_addresses_are_named_in_a_shortage(lived: tuple[Trial, Judged]) -> None:
    made, _ = lived
    with made.database.connect() as administrator:
        administrator.execute(
            "update infrastructure.smtp_ips set status = 'retired' where status = 'available'"
        )
        asked = "select infrastructure.address_shortage(%s)"
        later = made.at + timedelta(days=365)
        (told,) = administrator.execute(asked, [later]).fetchone() or ("",)
        assert "call reinstate_rested_ips" in told
        administrator.execute("select infrastructure.reinstate_rested_ips(%s)", [later])
        assert administrator.execute(asked, [later]).fetchone() == (None,)
        administrator.rollback()


def test_two_tenants_cannot_hold_an_address_whatever_the_code_does(
    lived: tuple[Trial, Judged],
) -> None:
    """The constraint stands behind the operations."""
    made, _ = lived
    with (
        made.database.connect() as administrator,
        pytest.raises((psycopg.errors.ExclusionViolation, psycopg.errors.UniqueViolation)),
    ):
        administrator.execute(
            "insert into infrastructure.ip_assignments (smtp_ip_id, owner_tenant_id, assigned_at)"
            " select smtp_ip_id, owner_tenant_id, assigned_at + interval '1 s'"
            " from infrastructure.ip_assignments where released_at is null limit 1"
        )


def test_the_asset_and_its_card(
    settings: Settings,
    seeded: Database,
    smoke: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Oltp, "database", lambda _: seeded)
    monkeypatch.setattr(Extent, "of", lambda _: EXTENT)
    result = dg.materialize([ip_operations], resources=smoke)
    told = {e.check_name: (e.passed, e.description) for e in result.get_asset_check_evaluations()}
    assert told == {name: (True, description) for name, description in CHECKS.items()}
    found = finding.read(Measurements(settings.measurements), "ip_operations")
    assert found.card and found.card["tone"] == "good", found.headline
    assert all(frame is not None and len(frame) for frame in found.frames.values())

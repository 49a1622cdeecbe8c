"""The loss oracle finds nothing to blame in the sync, and every fault of a broken one."""

import sys
from collections import Counter
from dataclasses import replace
from typing import Any

import dagster as dg
import pytest

from oltp_lab.findings import finding
from oltp_lab.measuring.store import Measurements
from oltp_lab.settings import Settings
from oltp_lab.warehouse.loss_oracle import ledger, run, syncs
from oltp_lab.warehouse.loss_oracle.assets import CHECK, loss_oracle
from oltp_lab.warehouse.loss_oracle.ledger import Book, Prepared, Verdict, Version
from oltp_lab.warehouse.loss_oracle.run import DELTA, NAIVE, OLTP, Extent, Judged

LEADS = "campaigns.leads"
BROKEN = (sys.executable, "-m", "oltp_lab_tests.warehouse.broken_syncs")


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> Extent:
    """As little as there can be: each kind of turn once."""
    extent = replace(Extent.read("smoke"), seconds=0, longest_s=0.8)
    monkeypatch.setattr(Extent, "read", lambda _: extent)
    return extent


def test_nothing_is_lost_phantom_duplicate_or_stale(
    settings: Settings, brief: Extent, smoke: dict[str, Any]
) -> None:
    """As the asset: syncs are killed and the server is crashed; its check and its card say so."""
    result = dg.materialize([loss_oracle], resources=smoke)
    (evaluation,) = result.get_asset_check_evaluations()
    assert evaluation.check_name == CHECK
    assert evaluation.passed, evaluation.description
    found = finding.read(Measurements(settings.measurements), "loss_oracle")
    assert found.card and found.card["tone"] == "good", found.headline
    assert (found.figures["faults"], found.figures["crashes"]) == (0, 2)
    assert found.figures["kills"] >= run.FEWEST
    assert found.figures["commits"] > 30
    assert found.figures["lost_by_updated_at"] > 0
    assert all(frame is not None and len(frame) for frame in found.frames.values())
    assert not (settings.home / "throwaway").exists()


def test_every_fault_of_a_broken_sync_is_noticed(
    settings: Settings, brief: Extent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_TURNS", ("whole",) * 5)
    monkeypatch.setattr(run, "FEWEST", 0)
    judged = run.run(settings, brief, "a broken sync", program=BROKEN)
    sums = {
        fault: sum(getattr(verdict, fault) for verdict in judged.verdicts[DELTA])
        for fault in ledger.FAULTS
    }
    assert all(sums.values()), sums
    assert any("two snapshot delta, campaigns.leads: " in told for told in judged.failures())
    assert all(verdict.faults == 0 for verdict in judged.verdicts[OLTP])
    assert judged.differences


def test_rows_are_judged_one_by_one() -> None:
    acknowledged = {(LEADS, "a"): "1", (LEADS, "b"): "2", (LEADS, "c"): "3", (LEADS, "d"): "4"}
    held = [(LEADS, "b", "2"), (LEADS, "b", "2"), (LEADS, "c", "0"), (LEADS, "d", "4")]
    leads, steps = ledger.judge(acknowledged, [*held, ("campaigns.steps", "e", "5")])
    assert leads == Verdict(LEADS, 4, 1, 0, 1, 1, ("lost: a", "duplicate: b", "stale: c"))
    assert steps == Verdict("campaigns.steps", 0, 0, 1, 0, 0, ("phantom: e",))
    assert ledger.judge(acknowledged, [(t, k, v) for (t, k), v in acknowledged.items()]) == [
        Verdict(LEADS, 4, 0, 0, 0, 0)
    ]


def test_the_server_is_asked_about_what_was_in_doubt() -> None:
    """What it forgot in a crash is taken back; what it prepared stays in doubt."""
    first, second, third = {(LEADS, "a"): "1"}, {(LEADS, "a"): "2"}, {(LEADS, "a"): "3"}
    versions = [Version(None, first), Version(7, second), Version(8, third)]
    book = Book(versions=list(versions))
    assert book.resolve({7}.__contains__, ()) == 2
    assert book.rows == second
    book = Book(versions=list(versions), prepared=Prepared("g", 9, {}))
    book.resolve({7, 8}.__contains__, {"g"})
    assert (book.rows, book.prepared is not None) == (third, True)
    book.resolve({9}.__contains__, ())
    assert (book.rows, book.prepared) == ({}, None)
    book = Book(versions=list(versions), prepared=Prepared("g", 9, {}))
    book.resolve({7, 8}.__contains__, ())  # rolled back, or never prepared
    assert (book.rows, book.prepared) == (third, None)


def test_a_run_that_would_not_have_noticed_proves_nothing() -> None:
    nothing = Verdict(LEADS, 10, 0, 0, 0, 0)
    done = {"killed at": Counter(begin=9), "crash": Counter(after=1), "sync": Counter(whole=2)}
    verdicts = {OLTP: [nothing], DELTA: [nothing], NAIVE: [replace(nothing, lost=1)]}
    judged = Judged(verdicts, {**done, "transaction": Counter(commits=5)}, (), 1.0)
    assert (judged.failures(), judged.doubts()) == ([], [])
    blind = replace(judged, verdicts={**verdicts, NAIVE: [nothing]})
    assert blind.doubts() == ["the cursor over updated_at lost nothing"]
    assert replace(judged, done={**done, "crash": Counter()}).doubts() == ["crash: 0 times only"]
    wrong = replace(nothing, stale=1, examples=("stale: a",))
    assert replace(judged, verdicts={**verdicts, DELTA: [wrong]}).failures() == [
        "two snapshot delta, campaigns.leads: stale: a"
    ]


@pytest.mark.parametrize(
    ("statement", "boundary"),
    {
        "attach 'user=x password=secret' as oltp": "attach",
        'delete from "staging"."leads" as old using changed where 1': "delete from staging.leads",
        "-- When.\nselect min(taken_at) from staging.watermarks": "from staging.watermarks",
        "insert into staging.positions (mart) values (?)": "insert into staging.positions",
        "create or replace temp table changed as from postgres_query('oltp', ?)": (
            "create or replace temp table changed"
        ),
        "commit": "commit",
    }.items(),
)
def test_boundaries_are_named(statement: str, boundary: str) -> None:
    assert syncs.boundary(statement) == boundary

"""Billing under load: it runs, money balances, limits hold, and each broken promise is seen."""

from collections import Counter

from oltp_lab.load.workload import Workload
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database
from oltp_lab_tests.load import slices

WORKLOAD = Workload.read("billing_stress", "smoke")


def test_it_has_the_sizes_of_the_challenge() -> None:
    assert slices.scripts(WORKLOAD) == set(WORKLOAD.operations)
    assert Workload.read("billing_stress", "challenge").sizes["accounts"] == 2000


def test_it_runs_and_leaves_nothing(seeded: Database, store: Measurements, run: Run) -> None:
    calls = slices.run_evenly(seeded, WORKLOAD, store, run)
    assert min(calls.values()) > 0
    figures = store.read("select query, figure, value, rise from load_figures").to_dict("records")
    outcomes = Counter(
        {row["figure"]: row["rise"] for row in figures if row["query"] == "outcomes"}
    )
    assert outcomes["consume leads: granted"] > 0
    assert outcomes["consume leads: limit_reached"] > 0, "the edge was reached"
    assert outcomes["consume emails_per_month: granted"] > 0
    changes = sum(count for name, count in outcomes.items() if name.startswith("change_plan: "))
    assert changes >= calls["change_plan"], "answers and refusals alike are counted"
    assert outcomes["pay_invoices: succeeded"] > 0


def test_each_broken_promise_is_seen(seeded: Database) -> None:
    with slices.slice_of(seeded, WORKLOAD) as administrator:
        assert slices.broken(administrator, WORKLOAD) == []
        assert slices.unseen(administrator, WORKLOAD) == []

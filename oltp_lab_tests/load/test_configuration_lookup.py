"""Look-ups while the configuration changes: answers hold, and each broken promise is seen."""

from collections import Counter

from oltp_lab.load.workload import Workload
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database
from oltp_lab_tests.load import slices

WORKLOAD = Workload.read("configuration_lookup", "smoke")


def test_it_has_the_sizes_of_the_challenge() -> None:
    assert slices.scripts(WORKLOAD) == set(WORKLOAD.operations)
    sizes = Workload.read("configuration_lookup", "challenge").sizes
    assert (sizes["accounts"], sizes["flags"]) == (1000, 100)


def test_it_runs_and_leaves_nothing(seeded: Database, store: Measurements, run: Run) -> None:
    calls = slices.run_evenly(seeded, WORKLOAD, store, run)
    assert min(calls.values()) > 0
    figures = store.read("select query, figure, rise from load_figures").to_dict("records")
    outcomes = Counter(
        {row["figure"]: row["rise"] for row in figures if row["query"] == "outcomes"}
    )
    assert outcomes["send_mail: sent"] > 0
    assert outcomes["setting_change: set"] > 0
    assert outcomes["open_account: opened"] > 0
    assert outcomes["open_account: provider_not_allowed"] > 0


def test_each_broken_promise_is_seen(seeded: Database) -> None:
    with slices.slice_of(seeded, WORKLOAD) as administrator:
        assert slices.broken(administrator, WORKLOAD) == []
        assert slices.unseen(administrator, WORKLOAD) == []

"""Domains and addresses under load: proven, warmed, failed over; each broken promise is seen."""

from collections import Counter
from dataclasses import replace

from oltp_lab.load.workload import Workload
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database
from oltp_lab_tests.load import slices

WORKLOAD = Workload.read("domain_operations", "smoke")


def test_it_has_the_sizes_of_the_challenge() -> None:
    assert slices.scripts(WORKLOAD) == set(WORKLOAD.operations)
    sizes = Workload.read("domain_operations", "challenge").sizes
    assert (sizes["accounts"], sizes["accounts"] * sizes["domains_each"]) == (50, 1000)


def test_it_runs_and_leaves_nothing(seeded: Database, store: Measurements, run: Run) -> None:
    longer = replace(WORKLOAD, seconds=2.0)  # of seventeen operations each is to be called
    calls = slices.run_evenly(seeded, longer, store, run)
    assert min(calls.values()) > 0
    figures = store.read("select query, figure, value, rise from load_figures").to_dict("records")
    outcomes = Counter(
        {row["figure"]: row["rise"] for row in figures if row["query"] == "outcomes"}
    )
    assert outcomes["check_dns: verified"] > 0
    assert outcomes["send_mail: sent"] > 0
    assert outcomes["assign_address: assigned"] > 0
    assert outcomes["release_address: released"] > 0
    assert outcomes["fail_server: failed over"] > 0
    assert outcomes["decommission_domain: given up"] > 0
    assert outcomes["share_costs: shared"] > 0
    refused = ("no_free_address", "none free", "not_available")
    conflicts = sum(count for name, count in outcomes.items() if name.endswith(refused))
    assert conflicts > 0, "there were more who wanted an address than addresses"
    asked = sum(count for name, count in outcomes.items() if name.startswith("allocate_address: "))
    assert asked >= calls["allocate_address"], "answers and refusals alike are counted"
    moved = {row["figure"]: row["rise"] for row in figures if row["query"] == "failovers"}
    assert moved["addresses_replaced"] + moved["addresses_with_nowhere_to_go"] > 0


def test_each_broken_promise_is_seen(seeded: Database) -> None:
    with slices.slice_of(seeded, WORKLOAD) as administrator:
        assert slices.broken(administrator, WORKLOAD) == []
        assert slices.unseen(administrator, WORKLOAD) == []

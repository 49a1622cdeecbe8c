"""The comparison: what it stores, and that it finds a cost that is there."""

from dataclasses import replace

import pytest

from oltp_lab.errors import LabError
from oltp_lab.load import rls_cost
from oltp_lab.load.rls_cost import Experiment
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database

EXPERIMENT = replace(Experiment.read("smoke"), operations=["lead_lookup"], sessions=2)
SLOW_POLICY = """
    alter policy tenant on campaigns.leads using (
        tenant_id = nullif(current_setting('nile.tenant_id', true), '')::uuid
        and (select pg_sleep(0.002)) is not null
    )
"""


def test_variants_and_their_evidence_are_stored(
    seeded: Database, store: Measurements, run: Run
) -> None:
    experiment = replace(EXPERIMENT, operations=["lead_lookup", "lead_update", "event_insert"])
    rows = rls_cost.execute(seeded, experiment, store, run)
    assert {(row["operation"], row["variant"]) for row in rows} == {
        (operation, variant)
        for operation in experiment.operations
        for variant in ("rls_and_filter", "rls_alone", "filter_alone_again")
    }
    for row in rows:
        assert row["low"] <= row["ratio"] <= row["high"]
        assert 0.2 < row["ratio"] < 5
        if row["operation"] == "lead_lookup":
            baseline = pytest.approx(row["baseline_blocks_per_call"], rel=0.2)
            assert row["blocks_per_call"] == baseline
            assert row["rows_removed_per_call"] == 0
            assert "email_norm" in row["plan"]
        elif row["variant"] != "filter_alone_again":  # whether the tenant is suspended is looked up
            assert "tenants" in row["plan"]
        assert (row["verdict"] == rls_cost.NOISE) == (row["variant"] == "filter_alone_again")
    stored = store.read("select * from experiment_variants")
    assert len(stored) == len(rows)
    (summary,) = store.read("select * from experiments").to_dict("records")
    assert summary["noise"] == max(row["noise"] for row in rows)
    with seeded.connect() as connection:
        left = connection.execute("select to_regnamespace('scratch_load')").fetchone()
    assert left == (None,)


def test_a_cost_that_is_there_is_found(seeded: Database, store: Measurements, run: Run) -> None:
    with seeded.connect() as connection:
        connection.execute(SLOW_POLICY)
    rows = {row["variant"]: row for row in rls_cost.execute(seeded, EXPERIMENT, store, run)}
    for variant in ("rls_and_filter", "rls_alone"):
        assert rows[variant]["verdict"] == "different"
        assert rows[variant]["low"] > 1.5
    assert rows["filter_alone_again"]["ratio"] < 1.5


def test_a_run_too_short_to_compare_says_what_to_change(
    seeded: Database, store: Measurements, run: Run
) -> None:
    with pytest.raises(LabError, match="configure more seconds"):
        rls_cost.execute(seeded, replace(EXPERIMENT, seconds=0.3), store, run)
    assert "experiments" not in store.tables()

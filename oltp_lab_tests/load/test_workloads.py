"""The workload: it runs, it keeps to its own rows, and it notices when isolation is gone."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import sql as pg

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.load import execution
from oltp_lab.load.workload import Arm, Operation, Workload
from oltp_lab.measuring import scratch
from oltp_lab.measuring.loads import measure
from oltp_lab.measuring.pgbench import Load, Script
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database

WORKLOAD = replace(
    Workload.read("tenant_isolation", "smoke"),
    arms={"direct_4": Arm(4), "direct_40": Arm(40)},
    seconds=0.6,
    warmup=0.1,
)
OPERATIONS = list(WORKLOAD.operations)

# Every table that a script writes, but for the rows of load runs.
SAMPLE_ROWS = """
    with ours as (select id from campaigns.campaigns where external_id like 'load:%')
    select
        (select md5(string_agg(t::text, '' order by t.id)) from campaigns.campaigns t
            where t.id not in (select id from ours)),
        (select md5(string_agg(t::text, '' order by t.id)) from campaigns.steps t
            where t.campaign_id not in (select id from ours)),
        (select md5(string_agg(t::text, '' order by t.id)) from campaigns.leads t),
        (select md5(string_agg(t::text, '' order by t.id)) from campaigns.enrollments t
            where t.campaign_id not in (select id from ours)),
        (select md5(string_agg(t::text, '' order by t.id)) from campaigns.events t
            where t.campaign_id not in (select id from ours))
"""


def test_every_script_is_an_operation_with_a_weight() -> None:
    scripts = {Path(file).stem for file in sql.files("load/tenant_isolation")}
    assert scripts - {"setup"} == set(OPERATIONS)
    challenge = Workload.read("tenant_isolation", "challenge")
    assert challenge.tenants == 100
    assert [arm.sessions for arm in challenge.arms.values()] == [8, 16, 100, 1000, 1000, 1000]


def test_arms_run_and_the_sample_rows_stay_as_they_were(
    seeded: Database, store: Measurements, run: Run
) -> None:
    with seeded.connect(autocommit=True) as connection:
        before = connection.execute(SAMPLE_ROWS).fetchone()
        outcomes = execution.execute(seeded, WORKLOAD, store, run)
        assert connection.execute(SAMPLE_ROWS).fetchone() == before
        campaigns = connection.execute(
            "select count(*), count(distinct tenant_id) from campaigns.campaigns "
            "where external_id = 'load:run-1'"
        ).fetchone()
        written = connection.execute(
            "select (select count(*) from campaigns.events e where e.campaign_id = c.id), "
            "(select sum(rotation - 1) from campaigns.enrollments n where n.campaign_id = c.id) "
            "from campaigns.campaigns c where external_id = 'load:run-1'"
        ).fetchall()
        schemas = connection.execute(
            "select count(*) from pg_namespace where nspname like 'scratch%'"
        ).fetchone()
    assert [outcome.failure for outcome in outcomes] == [None, None]
    for outcome in outcomes:
        assert {row["operation"]: row["failures"] for row in outcome.operations} == dict.fromkeys(
            OPERATIONS, 0
        )
        assert all(row["calls"] > 0 for row in outcome.operations)
    assert campaigns == (6, 6), "smoke has six tenants that send"
    calls = Counter()
    for row in (row for outcome in outcomes for row in outcome.operations):
        calls[row["operation"]] += row["calls"]
    assert sum(row[0] for row in written) >= calls["event_insert"]
    assert sum(row[1] for row in written) >= calls["enrollment_update"]
    assert schemas == (0,)


def test_busy_tenants_are_the_large_ones(seeded: Database) -> None:
    with scratch.made(seeded, tenants=4, targets=50) as maker:
        assert scratch.define_lookups(maker) == {"tenants": 4, "targets": 50}
        sizes = maker.execute(
            "select count(*) from scratch_load.tenants t "
            "join campaigns.leads l on l.tenant_id = t.tenant_id group by tenant order by tenant"
        ).fetchall()
        targets = maker.execute(
            "select count(*) from scratch_load.targets t "
            "join scratch_load.tenants n using (tenant) "
            "join campaigns.leads l on l.tenant_id = n.tenant_id and l.id = t.lead_id"
        ).fetchone()
    assert sizes == sorted(sizes, reverse=True)
    assert targets == (200,), "as many for a tenant with fewer leads"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_script_aborts_when_policies_let_all_rows_through(
    operation: str, seeded: Database, store: Measurements, run: Run
) -> None:
    with seeded.connect() as connection:
        for table in ("campaigns", "leads", "enrollments", "events"):
            alter = pg.SQL("alter policy tenant on campaigns.{} using (true) with check (true)")
            connection.execute(alter.format(pg.Identifier(table)))
    broken = replace(WORKLOAD, operations={operation: Operation(1)})
    outcomes = execution.execute(seeded, broken, store, run)
    assert len(outcomes) == 1, "no further arm after one that broke"
    stored = store.read("select complete from load_runs")
    assert (outcomes[0].failure or "").startswith(f"{operation}: ERROR:  isolation broken")
    assert [row["complete"] for row in stored.to_dict("records")] == [False]


def test_a_tenant_that_sees_nothing_is_a_breach_too(
    seeded: Database, store: Measurements, run: Run
) -> None:
    with seeded.connect() as connection:
        connection.execute("drop policy tenant on campaigns.leads")
    broken = replace(WORKLOAD, operations={"lead_lookup": Operation(1)})
    (outcome,) = execution.execute(seeded, broken, store, run)
    assert "rows of nobody were seen" in (outcome.failure or "")


def test_the_assertion_aborts_on_a_clone_without_row_level_security(
    seeded: Database, store: Measurements, run: Run, tmp_path: Path
) -> None:
    script = tmp_path / "lead_lookup.sql"
    text = sql.read("load/tenant_isolation/lead_lookup.sql")
    script.write_text(text.replace("campaigns.leads", "scratch_load.leads"), "utf-8")
    with scratch.made(seeded, tenants=100, targets=50) as maker:
        maker.execute("create table scratch_load.leads as select * from campaigns.leads")
        maker.execute("grant select on scratch_load.leads to lab_app")
        load = Load(
            "negative_control",
            "clone",
            [Script("lead_lookup", script)],
            role="lab_app",
            sessions=2,
            seconds=0.5,
            variables=scratch.define_lookups(maker),
        )
        outcome = measure(seeded, load, store, run)
    assert "isolation broken" in (outcome.failure or "")


def test_one_load_run_at_a_time_in_a_database(seeded: Database) -> None:
    with (
        scratch.made(seeded, tenants=1, targets=1),
        pytest.raises(LabError, match="another load run"),
        scratch.made(seeded, tenants=1, targets=1),
    ):
        pass


def test_what_a_killed_run_left_is_replaced(seeded: Database) -> None:
    with seeded.connect() as connection:
        connection.execute("create schema scratch_load create table leads (id integer)")
    with scratch.made(seeded, tenants=1, targets=1):
        pass
    with seeded.connect() as connection:
        left = connection.execute("select to_regnamespace('scratch_load')").fetchone()
    assert left == (None,)


def test_without_sample_data_nothing_is_started(database: Database, store: Measurements) -> None:
    run = Run.of(database, "run-1", "smoke")
    with pytest.raises(LabError, match="no active tenant has leads: run the job `build`"):
        execution.execute(database, WORKLOAD, store, run)
    assert store.tables() == []


def test_too_many_sessions_are_refused_before_anything_is_made(
    seeded: Database, store: Measurements, run: Run
) -> None:
    crowded = replace(WORKLOAD, arms={"direct_1": Arm(1), "direct_9000": Arm(9000)})
    with pytest.raises(LabError, match="9000 sessions"):
        execution.execute(seeded, crowded, store, run)
    assert store.tables() == []

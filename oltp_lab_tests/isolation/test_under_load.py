"""Isolation under load: it holds here, and each way of breaking it is noticed in each way in."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oltp_lab import sql
from oltp_lab.isolation.under_load import run as under_load
from oltp_lab.isolation.under_load import ways
from oltp_lab.isolation.under_load.run import Plan
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database, pgbouncer

PLAN = replace(Plan.read("smoke"), clients=8, sessions=3, seconds=0.5)
WITHOUT_BOUNCER = ["direct", "psycopg_pool"]
QUERIES = sql.queries("isolation/under_load/measured.sql")

# What is written belongs to campaigns of the run's own, or to a step or enrollment of theirs.
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

Loaded = Callable[..., dict[str, dict[str, Any]]]


@pytest.fixture
def loaded(seeded: Database, tmp_path: Path) -> Loaded:
    """Puts the database under load; the rows of its arms by their names."""

    def load(plan: Plan) -> dict[str, dict[str, Any]]:
        store, run = Measurements(tmp_path), Run.of(seeded, "run-1", "smoke")
        rows = under_load.execute(seeded, plan, store, run)
        broken = store.read(QUERIES["broken"], {"run_id": "run-1"}).to_dict("records")
        problems = {row["arm"]: row["problem"] for row in broken}
        return {row["arm"]: row | {"problem": problems.get(row["arm"])} for row in rows}

    return load


def test_it_holds_and_the_sample_rows_stay_as_they_were(seeded: Database, loaded: Loaded) -> None:
    with seeded.connect(autocommit=True) as connection:
        before = connection.execute(SAMPLE_ROWS).fetchone()
        arms = loaded(replace(PLAN, seconds=1.0))
        assert connection.execute(SAMPLE_ROWS).fetchone() == before
    assert set(arms) == {"direct", "psycopg_pool", "pgbouncer"}
    for arm, row in arms.items():
        if row["skipped"]:
            assert arm == "pgbouncer"
            continue
        assert (row["leaks"], row["problem"]) == (0, None), row
        assert row["control_leaks"] == row["controls"] == 6
        assert row["assertions"] > row["statements"] > row["transactions"] > 0
        assert min(row[count] for count in ("switches", "errors", "cancels", "reconnects")) > 0
        assert row["tenants"] == 6, "smoke has six tenants that send"
        assert row["users"] > 50


DAMAGE = {
    "rls disabled": "alter table campaigns.campaigns disable row level security",
    "policy widened": "alter policy tenant on campaigns.enrollments using (true)",
    "another policy": "create policy support on users.tenant_users for select to lab_app"
    " using (true)",
    "writes let through": "alter policy tenant on campaigns.events with check (true)",
    "nothing to see": "drop policy tenant on campaigns.leads",
    "context outlives the transaction": """
        create or replace function lab.enter_tenant(tenant uuid, acting_user uuid default null)
            returns void language sql
        begin atomic
            select set_config('nile.tenant_id', tenant::text, false),
                   set_config('nile.user_id', acting_user::text, false);
        end
    """,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_breaks_isolation_is_noticed(seeded: Database, loaded: Loaded, damage: str) -> None:
    with seeded.connect() as connection:
        connection.execute(DAMAGE[damage])  # type: ignore[arg-type]
    arms = loaded(replace(PLAN, arms=WITHOUT_BOUNCER))
    for row in arms.values():
        assert row["leaks"] > 0
        assert "leaks, the first as lab_app in" in row["problem"]
        assert row["leaked_statement"].partition("/")[0] in {"reads", "writes", "failures"}


def test_an_internal_error_of_the_server_is_told_and_is_no_leak(
    seeded: Database, loaded: Loaded
) -> None:
    with seeded.connect() as connection:
        connection.execute(
            "create function public.fail() returns trigger language plpgsql as $$ begin "
            "if current_user = 'lab_app' and random() < 0.1 then "
            "raise 'mistake' using errcode = 'XX000'; end if; "
            "return new; end $$; create trigger fail before insert on campaigns.events "
            "for each row execute function public.fail()"
        )
    (row,) = loaded(replace(PLAN, arms=["direct"])).values()
    assert (row["leaks"], row["problem"]) == (0, None)
    assert row["errors"] >= row["internal_errors"] > 0


@pytest.mark.skipif(pgbouncer.program() is None, reason="there is no pgbouncer on PATH")
def test_a_context_for_the_session_is_noticed_behind_pgbouncer(
    seeded: Database, loaded: Loaded
) -> None:
    with seeded.connect() as connection:
        connection.execute(DAMAGE["context outlives the transaction"])  # type: ignore[arg-type]
    (row,) = loaded(replace(PLAN, arms=["pgbouncer"])).values()
    assert row["leaks"] > 0


def test_a_control_that_does_not_leak_proves_nothing(loaded: Loaded, editable_sql: Path) -> None:
    control = editable_sql / "isolation/under_load/controls/set_config.sql"
    control.write_text(control.read_text("utf-8").replace("false", "true"), "utf-8")
    for row in loaded(replace(PLAN, arms=WITHOUT_BOUNCER)).values():
        assert row["leaks"] == 0
        assert row["problem"] == "not proven: 3 of 6 controls leaked"


def test_a_way_in_that_is_missing_is_left_out_with_the_reason(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert ways.missing("direct") is None
    (row,) = loaded(replace(PLAN, arms=["pgbouncer"])).values()
    assert (row["assertions"], row["skipped"]) == (0, "there is no pgbouncer on PATH")

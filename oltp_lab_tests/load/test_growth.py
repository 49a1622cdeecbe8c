"""The cost as the work grows: exponents tell growth apart, and what grows too fast is named."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from oltp_lab.errors import LabError
from oltp_lab.findings import finding
from oltp_lab.load import growth
from oltp_lab.load.growth import Growth
from oltp_lab.measuring import explained, plots
from oltp_lab.measuring.statistics import Exponent, exponent, logarithmic
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database

MULTIPLES = (1, 4, 16)
LIMIT = logarithmic(16)
SIZES = replace(Growth.read("smoke"), multiples=[1, 16])
MUCH_TO_COME = """
insert into public.tenants (name, status)
select 'tenant ' || n, 'active' from generate_series(1, 200) as n;
insert into campaigns.campaigns (tenant_id, name, status, scheduled_at)
select id, 'to come', 'scheduled', now() + interval '1 day'
from public.tenants, generate_series(1, 50);
insert into campaigns.suppressions (tenant_id, email_norm, reason, expires_at)
select id, n || '@a.example', 'manual',
       case when n < 50 then now() + interval '1 day' end
from public.tenants, generate_series(1, 100) as n;
update campaigns.suppressions set expires_at = now()
where id in (select id from campaigns.suppressions limit 5);
"""
PLANTED = "-- Counts every tenant.\nselect count(*) from public.tenants\n"


def fitted(cost: Callable[[int], float], scatter: list[float]) -> Exponent:
    """The exponent of a cost with so much scatter (a share) about it."""
    pairs = [(m, cost(m) * (1 + each)) for m in MULTIPLES for each in scatter]
    return exponent(*zip(*pairs, strict=True))


SCATTER = st.lists(st.floats(-0.03, 0.03), min_size=10, max_size=40)


@given(st.floats(1, 1e6), SCATTER)
def test_a_constant_cost_does_not_grow(base: float, scatter: list[float]) -> None:
    fit = fitted(lambda _: base, scatter)
    assert fit.low <= 1e-9 and -1e-9 <= fit.high < LIMIT


@given(st.integers(100, 10_000_000), st.integers(17, 400), st.integers(1, 9), SCATTER)
def test_a_descent_of_an_index_is_logarithmic(
    rows: int, fanout: int, descents: int, scatter: list[float]
) -> None:
    """A block of the table, and one a level of the index; whole levels, as they are."""
    fit = fitted(lambda m: descents * (1 + math.ceil(math.log(m * rows, fanout))), scatter)
    assert fit.low < LIMIT


@given(st.floats(1, 1e6), st.floats(0, 1), SCATTER)
def test_what_is_proportional_is_found_beside_a_fixed_cost(
    base: float, fixed: float, scatter: list[float]
) -> None:
    fit = fitted(lambda m: base * (fixed + m), scatter)
    assert fit.low > LIMIT
    assert fit.high < 1.1


def test_an_exponent_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="positive size and cost"):
        exponent([1, 4, 16], [1.0, 0.0, 2.0])


def test_the_application_is_measured_and_what_was_planted_is_named(
    schema_template: Database, store: Measurements, editable_sql: Path
) -> None:
    (editable_sql / f"{growth.FOLDER}/lab_platform/planted.sql").write_text(PLANTED)
    wanted = [
        each
        for each in growth.operations()
        if each.name in ("lead_lookup", "execute_step", "planted", "claim_payments")
    ]
    assert len(wanted) == 4
    run = Run("run-1", 180006, {}, "smoke", None)
    said: list[str] = []
    rows = growth.execute(schema_template, SIZES, wanted, store, run, said.append)
    assert len(said) == 3
    faster = {
        (row["operation"], row["axis"], row["measure"])
        for row in rows
        if row["faster_than_logarithmic"]
    }
    assert ("planted", "tenants", "visits") in faster
    assert not {each for each in faster if each[1:] == ("leads", "visits")}
    (plan,) = {row["plan"] for row in rows if row["operation"] == "planted" and row["plan"]}
    assert "Seq Scan (tenants): 128 visits" in plan

    costs = store.read("select * from growth order by operation, axis, multiple")
    assert len(costs) == 4 * 2 * 2
    assert min(costs["blocks_per_call"]) > 0
    assert min(costs["p50_ms"]) > 0
    # Statements within functions count too: a step reads and writes a dozen tables.
    assert min(costs.query("operation == 'execute_step'")["visits_per_call"]) > 10
    assert plots.growth(costs).get_axes()
    found = finding.read(store, "growth")
    assert found.card and found.card["faster"] >= 1
    frame = found.frames["table_what_grows_faster_than_a_logarithm"]
    assert frame is not None and "planted" in set(frame["operation"])


def test_without_a_run_there_is_no_card(store: Measurements) -> None:
    assert finding.read(store, "growth").card is None


def test_an_unknown_operation_is_refused_before_anything_starts() -> None:
    result = CliRunner().invoke(growth.main, ["lead_lokup"])
    assert result.exit_code == 1
    assert "no operation 'lead_lokup': there are advance_subscriptions" in result.output


def test_an_operation_that_fails_is_named(
    schema_template: Database, store: Measurements, editable_sql: Path
) -> None:
    (editable_sql / f"{growth.FOLDER}/lab_app/planted.sql").write_text("-- Fails.\nselect 1 / 0\n")
    wanted = [each for each in growth.operations() if each.name == "planted"]
    run = Run("run-1", 180006, {}, "smoke", None)
    with pytest.raises(LabError, match=r"lab_app/planted\.sql failed: division by zero"):
        growth.execute(schema_template, SIZES, wanted, store, run, print)
    assert store.tables() == []


@pytest.mark.parametrize(
    ("call", "done"),
    [("campaigns.start_scheduled_campaigns()", 0), ("campaigns.expire_suppressions()", 5)],
)
def test_workers_do_not_notice_what_is_still_to_come(
    database: Database, call: str, done: int
) -> None:
    with database.connect(autocommit=True) as session:
        session.execute(MUCH_TO_COME)
        session.execute("vacuum (analyze) campaigns.campaigns, campaigns.suppressions")
        explained.switch(session, on=True)
        session.execute("set role lab_platform")
        with explained.explained(session) as found:
            assert session.execute(f"select {call}".encode()).fetchone() == (done,)
    assert found.visits < 50

"""The soak: its transactions are counted and stored, and any script that sees too much ends it."""

from dataclasses import replace
from pathlib import Path

import pytest

from oltp_lab import sql
from oltp_lab.isolation.under_load import soak
from oltp_lab.isolation.under_load.soak import Soak
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database

SOAK = replace(Soak.read(), sessions=4)

DAMAGE = {
    "campaign_read": "alter policy tenant on campaigns.campaigns using (true)",
    "lead_read": "alter policy tenant on campaigns.leads using (true)",
    "enrollment_update": "alter policy tenant on campaigns.enrollments using (true)"
    " with check (true)",
}
CONTEXT_STAYS = """
    create or replace function lab.enter_tenant(tenant uuid, acting_user uuid default null)
        returns void language sql
    begin atomic
        select set_config('nile.tenant_id', tenant::text, false);
    end
"""


def _execute(database: Database, folder: Path, plan: Soak, transactions: int) -> dict:
    store, run = Measurements(folder), Run.of(database, "run-1", "smoke")
    lines: list[str] = []
    row = soak.execute(database, plan, transactions, store, run, lines.append)
    assert f"{row['transactions']:,} asserted transactions" in lines[-1]
    assert len(store.read("select * from load_runs where workload = 'isolation_soak'")) == 1
    return row


def test_every_script_is_an_operation() -> None:
    assert {Path(file).stem for file in sql.files("isolation/soak")} == set(SOAK.operations)


def test_asserted_transactions_are_counted(seeded: Database, tmp_path: Path) -> None:
    row = _execute(seeded, tmp_path, SOAK, 2_000)
    assert (row["transactions"], row["aborted"], row["failure"]) == (2_000, 0, None)
    assert row["complete"]


@pytest.mark.parametrize("operation", DAMAGE)
def test_every_script_ends_it_when_it_sees_too_much(
    seeded: Database, tmp_path: Path, operation: str
) -> None:
    with seeded.connect() as connection:
        connection.execute(DAMAGE[operation])  # type: ignore[arg-type]
    row = _execute(seeded, tmp_path, replace(SOAK, operations={operation: 1}), 2_000)
    assert not row["complete"]
    assert row["aborted"] > 0
    assert "isolation broken" in row["failure"]


def test_a_context_that_stays_ends_it(seeded: Database, tmp_path: Path) -> None:
    with seeded.connect() as connection:
        connection.execute(CONTEXT_STAYS)
    plan = replace(SOAK, operations={"campaign_read": 1, "nobody": 1})
    row = _execute(seeded, tmp_path, plan, 2_000)
    assert "isolation broken" in row["failure"]

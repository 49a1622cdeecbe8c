"""The process that keeps a warehouse fresh: what it syncs, what it writes down, and how it ends."""

import json
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from oltp_lab.measuring.store import Measurements
from oltp_lab.resources.warehouse import Warehouse
from oltp_lab.servers import Database, processes
from oltp_lab.settings import Settings
from oltp_lab.warehouse import continuous, marts
from oltp_lab_tests.warehouse.business import assert_equal, stale

MORE = """
insert into campaigns.events (tenant_id, campaign_id, lead_id, step_id, kind)
select tenant_id, campaign_id, lead_id, step_id, 'opened' from campaigns.events where kind = 'sent';
delete from campaigns.suppressions;
"""
COMMAND = [sys.executable, "-m", "oltp_lab.warehouse.continuous"]


def test_it_follows_the_database_until_it_is_told_to_end(
    oltp: Database, settings: Settings
) -> None:
    with processes.spawn(
        settings,
        [*COMMAND, "--every", "0.1", "--database", oltp.name],
        limit=60,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout
        first = child.stdout.readline()
        with oltp.connect("lab_platform") as platform:
            platform.execute(MORE)
        changed = next(line for line in child.stdout if " 0 rows" not in line)
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=20)
        assert child.returncode == 0
    assert "campaign_daily" in first
    assert "campaign_daily" in changed
    with Warehouse().open() as connection:
        assert_equal(connection, oltp)
        assert not any(stale(connection, mart) for mart in marts.discovered())
    stored = Measurements(settings.measurements).read("from syncs where table_name like '%.events'")
    assert stored["mode"].tolist() == ["full", "increment"]
    settings.warehouse.unlink()


def test_it_keeps_single_marts_fresh(oltp: Database, warehouse: Warehouse) -> None:
    chosen = continuous._chosen(["campaign_daily"])
    turns = [
        continuous.take_turn(warehouse, oltp, continuous.sources(chosen), chosen) for _ in range(2)
    ]
    first, second = (json.loads(turn.as_json()) for turn in turns)
    assert first["full"] == 2, "campaigns and events"
    assert (second["rows"], second["changed"]) == (0, 0)
    assert first["began"] < first["snapshot_at"] < first["ended"] < second["began"]
    with warehouse.open(read_only=True) as connection:
        found = connection.execute("select table_name from duckdb_tables()").fetchall()
    assert {("campaign_daily",), ("events",)} < set(found)
    assert ("leads",) not in found


@pytest.mark.parametrize(
    ("options", "told"), [(["--mart", "x"], "no mart 'x'"), (["--every", "-1"], "-1")]
)
def test_bad_input_is_refused(settings: Settings, options: list[str], told: str) -> None:
    assert settings.home
    result = CliRunner().invoke(continuous.main, options)
    assert result.exit_code
    assert told in result.output

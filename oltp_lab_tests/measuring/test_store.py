"""The store: what was appended is read back, whole or not at all."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from oltp_lab.errors import LabError
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database

RUN = Run("run-1", 180006, {"shared_buffers": "1GB"}, "smoke", "abc")


def test_rows_come_back_with_what_they_are_from(store: Measurements) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    path = store.append("benchmarks", [{"name": "x", "ratio": 0.5, "at": at}], run=RUN)
    assert path == store.folder / "benchmarks" / "run-1.parquet"
    (row,) = store.read("select * from benchmarks").to_dict("records")
    assert (row["name"], row["ratio"], row["at"]) == ("x", 0.5, at)
    assert (row["run_id"], row["server_version"], row["scale"]) == ("run-1", 180006, "smoke")
    assert json.loads(row["settings"]) == {"shared_buffers": "1GB"}
    assert abs((datetime.now(UTC) - row["recorded_at"]).total_seconds()) < 60


def test_appending_again_adds_to_the_run_and_leaves_other_runs(store: Measurements) -> None:
    store.append("syncs", [{"n": 1}], run=RUN)
    store.append("syncs", [{"n": 2, "late": "column"}], run=RUN)
    store.append("syncs", [{"n": 3}], run=replace(RUN, run_id="run-2"))
    frame = store.read("select run_id, n, late from syncs order by n")
    assert frame["n"].tolist() == [1, 2, 3]
    assert frame["run_id"].tolist() == ["run-1", "run-1", "run-2"]
    assert frame["late"].fillna("").tolist() == ["", "column", ""]
    assert store.tables() == ["syncs"]


def test_columns_that_one_run_knows_only_as_null(store: Measurements) -> None:
    store.append("load_operations", [{"p99_ms": None, "note": None}], run=RUN)
    later = replace(RUN, run_id="run-2")
    store.append("load_operations", [{"p99_ms": 1.5, "note": "text"}], run=later)
    frame = store.read("select sum(p99_ms) as p99, max(note) as note from load_operations")
    assert frame.iloc[0].tolist() == [1.5, "text"]


def test_old_measurements_can_be_left_out(store: Measurements) -> None:
    os.utime(store.append("syncs", [{"n": 1}], run=RUN), (0, 0))
    since = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(LabError, match="no measurements 'syncs'"):
        store.read("select n from syncs", since=since)
    store.append("syncs", [{"n": 2}], run=replace(RUN, run_id="run-2"))
    assert store.read("select n from syncs", since=since)["n"].tolist() == [2]


def test_no_rows_make_no_file(store: Measurements) -> None:
    assert not store.append("syncs", [], run=RUN).exists()
    assert store.tables() == []


def test_a_table_that_was_never_measured_is_named(store: Measurements) -> None:
    with pytest.raises(LabError, match=r"no measurements 'syncs'.*OLTP_LAB_HOME"):
        store.read("select * from syncs")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LabError, match=r"cannot write measurements.*OLTP_LAB_HOME"):
        Measurements(tmp_path / "file").append("syncs", [{"n": 1}], run=RUN)


def test_readers_never_see_half_a_file(store: Measurements) -> None:
    """Runs append while others read: each reader sees whole appends only."""
    rows = [{"n": n} for n in range(500)]

    def append(number: int) -> None:
        store.append("syncs", rows, run=replace(RUN, run_id=f"run-{number}"))

    append(0)
    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(append, number) for number in range(1, 20)]
        seen = [store.read("select count(*) as n from syncs")["n"].iloc[0] for _ in range(20)]
        for writer in writers:
            writer.result()
    assert all(count % 500 == 0 for count in seen)
    assert list(store.folder.rglob(".*")) == []


def test_a_run_says_what_it_ran_on(run: Run, empty: Database) -> None:
    assert run.server_version == empty.server.version
    assert int(run.settings["machine.cores"]) >= 1
    with empty.connect() as connection:
        assert (run.settings["shared_buffers"],) == connection.execute(
            "select current_setting('shared_buffers')"
        ).fetchone()

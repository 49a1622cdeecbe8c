"""What may be wrong with the warehouse's file is told in a sentence, and the file left alone."""

import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from oltp_lab.errors import LabError
from oltp_lab.resources.warehouse import Warehouse
from oltp_lab.servers import locks
from oltp_lab.settings import Settings

# A writer in the middle of a transaction, as Warehouse.open makes one.
HOLDER = """
import sys
import duckdb
from oltp_lab import settings
from oltp_lab.servers import locks

with locks.held(settings.load(), "warehouse", holder="a sync"):
    connection = duckdb.connect(sys.argv[1])
    connection.execute("create table kept as select 1; begin; create table half as select 1")
    print("open", flush=True)
    input()
"""

READER = """
import duckdb, sys
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    print(connection.execute("from answers").fetchall())
"""
LAB_READER = """
import sys
from oltp_lab.errors import LabError
from oltp_lab.resources import Warehouse
try:
    with Warehouse(database=sys.argv[1], timeout=0).open(read_only=True) as connection:
        print(connection.execute("from answers").fetchall())
except LabError as error:
    print(error.message)
"""


def refused(warehouse: Warehouse, *, read_only: bool = False, timeout: float = 0) -> str:
    """The sentence that opening the warehouse is refused with."""
    hasty = warehouse.model_copy(update={"timeout": timeout})
    with pytest.raises(LabError) as error, hasty.open(read_only=read_only):
        pass
    return error.value.message


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" * 1000])
def test_not_a_duckdb_file(warehouse: Warehouse, content: bytes) -> None:
    file = Path(warehouse.database)
    file.write_bytes(content)
    told = refused(warehouse)
    assert told.startswith(f"the warehouse {file} is not a DuckDB file")
    assert "OLTP_LAB_HOME" in told
    assert file.read_bytes() == content


def test_made_by_a_newer_duckdb(warehouse: Warehouse) -> None:
    file = Path(warehouse.database)
    duckdb.connect(file).close()
    header = bytearray(file.read_bytes())
    header[12:20] = struct.pack("<Q", 999)  # the storage version
    header[:8] = struct.pack("<Q", _checksum(bytes(header[8:4096])))
    file.write_bytes(header)
    assert f"was made by a newer DuckDB than {duckdb.__version__}" in refused(warehouse)
    assert file.read_bytes() == header


def _checksum(block: bytes) -> int:
    """DuckDB's checksum of a header."""
    result = 5381
    for (word,) in struct.iter_unpack("<Q", block):
        result ^= word * 0xBF58476D1CE4E5B9 & (2**64 - 1)
    return result


def test_open_in_a_living_process_and_in_a_dead_one(warehouse: Warehouse) -> None:
    """A killed process holds nothing, whatever its note in the lock says; half of it is undone."""
    command = [sys.executable, "-c", HOLDER, warehouse.database]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"open\n"
        assert f"in use by a sync, process {other.pid}, since" in refused(warehouse)
        assert f"is in use by process {other.pid}" in refused(warehouse, read_only=True)
        other.kill()
    with warehouse.model_copy(update={"timeout": 0}).open() as connection:
        assert connection.execute("show tables").fetchall() == [("kept",)]


def test_another_process_reads_while_nothing_is_written(warehouse: Warehouse) -> None:
    """With DuckDB alone, whose error is its own, and through the lab, which tells a sentence."""

    def elsewhere(script: str) -> str:
        command = [sys.executable, "-c", script, warehouse.database]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout + done.stderr

    with warehouse.open() as connection:
        connection.execute("create table answers as select 42 as answer")
        assert "Conflicting lock is held" in elsewhere(READER)
        told = elsewhere(LAB_READER)
        assert told.startswith(f"the warehouse {warehouse.database} is in use by process ")
        assert str(os.getpid()) in told
    assert elsewhere(READER) == "[(42,)]\n"
    with warehouse.open(read_only=True):
        assert elsewhere(READER) == "[(42,)]\n"


def test_a_warehouse_of_motherduck_by_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without an account: what DuckDB is asked for, and what is told when it cannot."""
    asked = []
    real = duckdb.connect

    def connect(name: str, **options: Any) -> duckdb.DuckDBPyConnection:
        asked.append((name, options["config"]["autoinstall_known_extensions"]))
        return real()

    monkeypatch.setenv("OLTP_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OLTP_LAB_WAREHOUSE", "md:analytics")
    monkeypatch.delenv("motherduck_token", raising=False)
    assert "set motherduck_token" in refused(Warehouse())
    monkeypatch.setenv("motherduck_token", "none")
    nowhere = {
        "extension_directory": str(tmp_path / "extensions"),
        "custom_extension_repository": "http://127.0.0.1:9",
    }
    told = refused(Warehouse(connection_config=nowhere))
    assert told.startswith("the warehouse md:analytics cannot be opened (")
    assert "set OLTP_LAB_WAREHOUSE to a file" in told
    monkeypatch.setattr(duckdb, "connect", connect)
    for read_only in (False, True):
        with Warehouse().open(read_only=read_only) as connection:
            assert connection.execute("select current_setting('timezone')").fetchone() == ("UTC",)
    assert asked == [("md:analytics", "true")] * 2
    assert not (tmp_path / "home").exists()


def test_one_writer_at_a_time_and_its_name(settings: Settings, warehouse: Warehouse) -> None:
    with locks.held(settings, "warehouse", holder="analytics_sync (run 42)"):
        told = refused(warehouse)
    assert f"analytics_sync (run 42), process {os.getpid()}" in told
    assert not Path(warehouse.database).exists()


def test_nothing_to_read_yet(warehouse: Warehouse) -> None:
    assert "run the job `lab`" in refused(warehouse, read_only=True)


def test_no_folder_to_write_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("OLTP_LAB_HOME", str(tmp_path / "file"))
    assert "is not a folder: set OLTP_LAB_HOME" in refused(Warehouse())


def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    """Half-way too: what was there before stays, and can be read."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, timeout=10, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        warehouse = Warehouse(database=str(small / "warehouse.duckdb"))
        with warehouse.open() as connection:
            connection.execute("create table kept as select 42 as answer")
        with (
            pytest.raises(LabError, match=r"its disk is full.*OLTP_LAB_HOME"),
            warehouse.open() as connection,
        ):
            connection.execute("create table large as select uuid() from range(1000000)")
        with warehouse.open() as connection:
            assert connection.table("kept").fetchall() == [(42,)]
    finally:
        subprocess.run(["umount", str(small)], timeout=10, check=True)


def test_it_is_closed_after_an_error(warehouse: Warehouse) -> None:
    for opened in (warehouse.open, warehouse.get_connection):
        with pytest.raises(ZeroDivisionError), opened() as connection:
            raise ZeroDivisionError
        with pytest.raises(duckdb.ConnectionException):
            connection.execute("select 1")
        with warehouse.open(read_only=True) as reader, pytest.raises(duckdb.InvalidInputException):
            reader.execute("create table t (i integer)")

"""A run to stamp rows with, and a store below the test's own folder."""

from pathlib import Path

import pytest

from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database


@pytest.fixture
def store(tmp_path: Path) -> Measurements:
    return Measurements(tmp_path / "with a space" / "measurements")


@pytest.fixture
def run(empty: Database) -> Run:
    return Run.of(empty, "run-1", "smoke")

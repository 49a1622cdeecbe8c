"""Sample data of the test's own, and where its load runs write to."""

from pathlib import Path

import pytest

from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database


@pytest.fixture
def store(tmp_path: Path) -> Measurements:
    return Measurements(tmp_path / "measurements")


@pytest.fixture
def run(seeded: Database) -> Run:
    return Run.of(seeded, "run-1", "smoke")

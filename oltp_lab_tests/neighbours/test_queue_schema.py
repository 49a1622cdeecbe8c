"""The queue's schema is PgQueuer's own."""

import os
import subprocess
import sys
from pathlib import Path

from oltp_lab import sql


def test_it_is_what_pgqueuer_prints() -> None:
    program = Path(sys.executable).with_name("pgq")
    printed = subprocess.run(
        [program, "sql", "install"],
        env={**os.environ, "PGQUEUER_SCHEMA": "queue"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    said = sql.read("queue/10_pgqueuer.sql").split("\n", 2)[2]
    assert said == printed, "PgQueuer's schema has changed: print it anew as the file's head says"

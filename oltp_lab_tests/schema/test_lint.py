"""squawk and pgspot, as ``make lint`` runs them, find what they must."""

import subprocess
import sys
from pathlib import Path

import pytest

from oltp_lab_tests import lint

SQUAWK = Path(sys.executable).with_name("squawk")
ROOT = Path(__file__).parents[2]


def _squawk(file: Path) -> str:
    """What squawk says of a file, under the lab's configuration."""
    command = [SQUAWK, "--config", ROOT / ".squawk.toml", file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode != 0) == ("Found 0 issues" not in done.stdout), done.stderr
    return done.stdout


@pytest.mark.skipif(not SQUAWK.exists(), reason="squawk is not installed beside this Python")
@pytest.mark.parametrize(
    ("breach", "rule"),
    [
        ("create table extra (id uuid primary key);", "require-table-schema"),
        ("create table lab.extra (at timestamp);", "prefer-timestamp-tz"),
        ("create table lab.extra (name varchar(10));", "prefer-text-field"),
        ("create table lab.extra (id bigserial primary key);", "prefer-identity"),
        ("create table lab.extra (id uuid primary key", "syntax-error"),
    ],
)
def test_squawk_finds(tmp_path: Path, breach: str, rule: str) -> None:
    file = tmp_path / "extra.sql"
    file.write_text("create table lab.extra (id uuid primary key, at timestamptz, name text);")
    assert "Found 0 issues" in _squawk(file)
    file.write_text(breach)
    assert rule in _squawk(file)


BODY = "language plpgsql {} as $$ begin perform 1 = 1; return 1; end $$;"
BREACHES = {
    "PS002": "create or replace function lab.extra() returns int language sql return 1;",
    "PS003": "create function lab.extra() returns int " + BODY.format("security definer"),
    "PS004": "create function lab.extra() returns int "
    + BODY.format("security definer set search_path = pg_catalog"),
    "PS005": "create function lab.extra() returns int " + BODY.format(""),
    "PS012": "create table if not exists lab.extra (id uuid);",
    "PS001": "set local search_path = public; create view lab.extra as select 1 + 1 as two;",
}


@pytest.mark.skipif(not lint.PGSPOT.exists(), reason="pgspot is not installed beside this Python")
@pytest.mark.parametrize("code", BREACHES)
def test_pgspot_finds(editable_sql: Path, capsys: pytest.CaptureFixture[str], code: str) -> None:
    file = editable_sql / "extra.sql"
    file.write_text("create function lab.extra() returns int language sql return 1 + 1;")
    assert lint.issues(["schema/session.sql", "extra.sql"]) == 0
    file.write_text(BREACHES[code])
    assert lint.issues(["schema/session.sql", "extra.sql"]) > 0
    assert code in capsys.readouterr().out

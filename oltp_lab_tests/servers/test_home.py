"""``OLTP_LAB_HOME``: refused with one sentence when it is not fit, before anything is touched."""

import subprocess
from pathlib import Path

import pytest

from oltp_lab import servers
from oltp_lab.errors import LabError
from oltp_lab.servers import home
from oltp_lab.settings import Settings
from oltp_lab_tests.servers.helpers import IS_ROOT, USER, as_ordinary_user, command, python, run


def test_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for path in (file, file / "below"):
        with pytest.raises(LabError, match="is not a folder: set OLTP_LAB_HOME"):
            home.check(Settings(path, "smoke"))
    assert file.read_text() == "mine"


def test_no_room(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)]
    if not IS_ROOT or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("only root may mount a small disk")
    try:
        with pytest.raises(LabError, match=r"only \d+ MB are free .* set OLTP_LAB_HOME"):
            home.check(Settings(tmp_path / "home", "smoke"))
        assert not list(tmp_path.iterdir())
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_not_writable(reachable: Path) -> None:
    closed = reachable / "closed"
    closed.mkdir(mode=0o555)
    result = run(as_ordinary_user(python(closed / "home", USER)))
    assert result.returncode != 0
    assert "LabError: cannot write in" in result.stderr
    assert "Permission denied): set OLTP_LAB_HOME" in result.stderr
    assert not list(closed.iterdir())


def test_a_file_that_is_no_warehouse_keeps_nobody_from_a_prompt(tmp_path: Path) -> None:
    settings = Settings(tmp_path, "smoke")
    settings.warehouse.write_text("somebody's notes, not a database")
    with pytest.raises(LabError, match=r"is not a DuckDB file: move it away, or set OLTP_LAB_HOME"):
        servers.check(settings)
    home.check(settings)


def test_clean_removes_only_what_the_lab_made(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    assert command(tmp_path, "up").returncode == 0
    result = command(tmp_path, "clean")
    assert f"left: {tmp_path / 'mine'}" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]

"""Whose account a server runs in: ours, or for root an existing unprivileged one.

No permission is widened for that account. What it cannot reach by its path (the project may lie
below a closed folder, such as root's home) it is handed another way: the data directory as its
working directory, the programs as a copy.
"""

import logging
import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oltp_lab.errors import LabError

_log = logging.getLogger(__name__)
_UNPRIVILEGED = ("nobody", "postgres", "daemon")
_WORKING_DIRECTORY = Path("/proc/self/cwd")
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}  # no PG* variable of the user's


@dataclass(frozen=True)
class Account:
    """``switch`` is True when we are root and the account is another."""

    uid: int
    gid: int
    switch: bool

    @classmethod
    def of(cls, data: Path) -> "Account":
        """The account for a data directory: its owner's if it exists, else one that is at hand."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid(), switch=False)
        if data.is_dir() and (owner := data.stat()).st_uid != 0:
            return cls(owner.st_uid, owner.st_gid, switch=True)
        entries = {entry.pw_name: entry for entry in pwd.getpwall()}
        for name in _UNPRIVILEGED:
            if name in entries:
                return cls(entries[name].pw_uid, entries[name].pw_gid, switch=True)
        raise LabError(
            "PostgreSQL does not run as root and this system has no account "
            f"{' or '.join(_UNPRIVILEGED)}: run the lab as an ordinary user"
        )

    @property
    def identity(self) -> dict[str, Any]:
        """Options of ``subprocess.Popen`` that run a program in this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}

    def own(self, path: Path) -> None:
        """Give one of the lab's own folders, with all that is in it, to the account."""
        if self.switch:
            for member in (path, *path.rglob("*")):
                os.chown(member, self.uid, self.gid, follow_symlinks=False)

    def run(
        self, arguments: Sequence[str | Path], folder: Path, limit: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in ``folder`` (which need not be reachable) for ``limit`` seconds."""
        return subprocess.run(
            arguments,
            cwd=folder,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
            **self.identity,
        )

    def path_of(self, data: Path) -> Path:
        """What the account, working in ``data``, calls that folder."""
        if not self.switch or self._succeeds(["test", "-x", str(data)]):
            return data
        if _WORKING_DIRECTORY.exists():
            return _WORKING_DIRECTORY
        raise LabError(
            f"PostgreSQL does not run as root, and other accounts cannot reach {data}: "
            f"run the lab as an ordinary user or set OLTP_LAB_HOME to a folder they can reach"
        )

    def programs(self, installed: Path, copy: Path) -> Path:
        """The folder of the installation (``bin``, ``lib``, ``share``) that the account can use."""
        if not self.switch or self._runs(installed):
            return installed
        package = installed.parent
        copied = copy / package.name / installed.name
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(installed, copied, symlinks=True)
        for libraries in package.parent.glob(f"{package.name}.libs"):  # beside it in the wheel
            shutil.copytree(libraries, copy / libraries.name, symlinks=True)
        self.own(copy)
        if not self._runs(copied):
            raise LabError(
                f"PostgreSQL does not run as root, and other accounts can run its programs "
                f"neither in {installed} nor in {copy}: run the lab as an ordinary user"
            )
        _log.info("PostgreSQL runs as uid %d from a copy of its programs in %s", self.uid, copy)
        return copied

    def _runs(self, installation: Path) -> bool:
        return self._succeeds([str(installation / "bin" / "initdb"), "--version"])

    def _succeeds(self, arguments: Sequence[str]) -> bool:
        try:
            return self.run(arguments, Path("/"), 60).returncode == 0
        except PermissionError:
            return False

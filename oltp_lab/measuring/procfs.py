"""CPU time and memory of processes, read from Linux's ``/proc``.

By hand, since it is done every second over a thousand backends, where psutil takes 90 ms of CPU;
and from ``schedstat``, since a backend of a thousand uses less CPU in a second than the clock tick
that other files count in.
"""

from pathlib import Path

import psycopg

_PROC = Path("/proc")


def family(postmaster: int) -> dict[int, float]:
    """CPU seconds by pid of the postmaster and its children. Raises OSError when it is gone."""
    with open(f"{_PROC}/{postmaster}/task/{postmaster}/children", "rb") as file:  # noqa: PTH123
        children = file.read().split()
    found = {postmaster: _cpu_seconds(postmaster)}
    for child in map(int, children):
        try:
            found[child] = _cpu_seconds(child)
        except (FileNotFoundError, ProcessLookupError):  # ended since the listing
            continue
    return found


def proportional_bytes(pid: int) -> int:
    """PSS: private memory and a fair share of what is shared, so that the sum counts it once.

    A process that is gone has none. Raises PermissionError when it is somebody else's.
    """
    try:
        with open(f"{_PROC}/{pid}/smaps_rollup", "rb") as file:  # noqa: PTH123
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def postmaster(connection: psycopg.Connection) -> tuple[int | None, str]:
    """The pid of the connection's postmaster, or None and why its processes cannot be read."""
    host = connection.info.host
    if not host.startswith("/") and connection.info.hostaddr not in ("127.0.0.1", "::1"):
        return None, f"the server runs on {host}, not here"
    backend = connection.info.backend_pid
    try:
        if not (_PROC / str(backend) / "comm").read_text("utf-8").startswith("postgres"):
            return None, "the server's processes are not visible here"
        status = (_PROC / str(backend) / "status").read_text("utf-8")
        parent = int(status.partition("\nPPid:")[2].split()[0])
        family(parent)
        proportional_bytes(parent)
    except PermissionError:
        return None, "the server's processes belong to another user"
    except FileNotFoundError as error:
        return None, f"there is no {error.filename} here"
    return parent, ""


def _cpu_seconds(pid: int) -> float:
    with open(f"{_PROC}/{pid}/schedstat", "rb") as file:  # noqa: PTH123
        return int(file.read().split()[0]) / 1e9

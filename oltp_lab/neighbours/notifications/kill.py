"""Points at which a service can be told to die by SIGKILL: on either side of each commit."""

import os
import signal
from collections.abc import Callable

Point = Callable[[str], None]
"""Called with the name of the point that was reached."""

RELAY = (
    "fanned out",
    "fan-out committed",
    "taken",
    "handed over",
    "queue committed",
    "outbox committed",
)
WORKER = ("composed", "sending", "sent", "marked", "marks committed")


def nothing(_: str) -> None:
    """No point is deadly."""


def at(deadly: str | None, visit: int = 1) -> Point:
    """A point that is deadly when it is reached for the ``visit``-th time; ``None``: none is."""
    if deadly is None:
        return nothing
    left = visit

    def reached(point: str) -> None:
        nonlocal left
        if point == deadly:
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return reached

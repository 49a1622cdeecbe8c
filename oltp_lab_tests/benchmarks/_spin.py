"""A process that takes turns as ``oltp_lab.warehouse.continuous --asked`` does, and only computes.

What it does to a load beside it is what any process does that takes so much of a core: the least
that a sync could do on the same machine.
"""

import json
import os
import sys
import time

from oltp_lab.warehouse.continuous import NICE

SECONDS = 1.25
"""Of CPU a turn, about as many as a sync of everything and its refresh take."""


def main() -> None:
    """Compute for each line of standard input; the arguments are those of the other process."""
    os.nice(NICE)
    for _ in sys.stdin:
        began, cpu = time.time(), time.process_time()
        while time.process_time() - cpu < SECONDS:
            sum(range(1000))
        ended = time.time()
        turn = {"began": began, "snapshot_at": began, "ended": ended, "memory_mb": 0.0}
        turn["cpu_s"] = time.process_time() - cpu
        print(json.dumps(turn | {"rows": 1, "changed": 1, "full": 0}), flush=True)


if __name__ == "__main__":
    main()

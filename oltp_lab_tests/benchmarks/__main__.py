"""``make bench``: run every benchmark, print the table, keep the rows as measurements.

Arguments name benchmarks to run (``python -m oltp_lab_tests.benchmarks extract``); none runs all.
"""

import importlib
import pkgutil
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from oltp_lab import servers, settings
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab_tests import benchmarks

Row = Mapping[str, Any]
COLUMNS = ("name", "ours", "reference", "ratio", "goal")


def discovered(wanted: list[str]) -> Iterator[Callable[[], list[Row]]]:
    """The benchmarks whose module or function is named in ``wanted`` (empty: all)."""
    for module_info in pkgutil.iter_modules(benchmarks.__path__):
        if module_info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{benchmarks.__name__}.{module_info.name}")
        for name, member in sorted(vars(module).items()):
            defined_here = getattr(member, "__module__", None) == module.__name__
            is_wanted = not wanted or module_info.name in wanted or name in wanted
            if name.startswith("measure") and callable(member) and defined_here and is_wanted:
                yield cast(Callable[[], list[Row]], member)


def main() -> None:
    """Print rows as they come, then store them under one run."""
    current = settings.load()
    print(f"{'name':<34}{'ours':>18}{'reference':>18}{'ratio':>9}  goal", flush=True)
    rows: list[Row] = []
    for benchmark in discovered(sys.argv[1:]):
        for row in benchmark():
            rows.append(row)
            print(
                f"{row['name']:<34}{row['ours']:>18}{row['reference']:>18}"
                f"{row['ratio']:>9.3f}  {row['goal']}{_interval(row)}",
                flush=True,
            )
    run = Run.of(servers.oltp(current), f"bench-{uuid.uuid4()}", current.scale)
    Measurements(current.measurements).append("benchmarks", rows, run=run)


def _interval(row: Row) -> str:
    """Where the ratio lies with 95 %, of rows that tell."""
    return f"  ({row['low']:.3f} to {row['high']:.3f})" if "low" in row else ""


if __name__ == "__main__":
    main()

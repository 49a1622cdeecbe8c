"""Whether the newest run of a workload is slower than those before it on the same machine.

An arm's figure is its throughput divided by that of the calibration right before it, so that a
machine that is slower today raises no suspicion. It is compared with the median of trailing runs;
how far below it is usual their own scatter says.

Percentiles of single operations are not compared: of identical scripts the p95 differs by half from
one run of seconds to the next, and of fifty of them some always would. Nor are open loops, which do
as much as is offered.
"""

from dataclasses import dataclass

import pandas as pd

from oltp_lab import sql
from oltp_lab.measuring.store import Measurements

MOST = 10
"""Trailing runs, the newest ones: enough for a median, few enough to follow a machine's age."""
FEWEST = 3
"""Of fewer the scatter says nothing."""
WIDTHS = 3.0
"""Of the scatter (median absolute deviation, as a normal law's standard deviation)."""
FLOOR = 0.75
"""What is above this share of the usual is never called slower: throughput and calibration of
identical runs each scatter by a tenth here, and of few trailing runs the scatter may seem small."""


@dataclass(frozen=True)
class History:
    """The newest run's arms beside the usual: ``of_usual`` and ``lowest`` are shares of it."""

    arms: pd.DataFrame

    @classmethod
    def read(cls, store: Measurements, workload: str) -> "History":
        asked = {
            "workload": workload, "most": MOST, "fewest": FEWEST, "widths": WIDTHS, "floor": FLOOR,
        }  # fmt: skip
        return cls(store.read(sql.queries("load/history.sql")["compared"], asked))

    @property
    def slower(self) -> list[str]:
        """Arms that are slower than usual."""
        return self.arms.query("slower")["arm"].tolist()

    @property
    def told(self) -> str:
        """In a sentence."""
        if self.arms.empty:
            return "nothing to compare: no closed arm was calibrated, as none was 2 s or longer"
        compared = self.arms.dropna(subset=["of_usual"])
        if compared.empty:
            return "too few runs to compare"
        rows = (compared.query("slower") if self.slower else compared).to_dict("records")
        return "; ".join(
            f"{row['arm']}: {row['of_usual']:.2f} of the median of {row['trailing_runs']} runs "
            f"(usual: {row['lowest']:.2f} and more)"
            for row in rows
        )

"""What the ways of having fresh figures come to: described, and reckoned from what was measured.

Percentiles are of pooled transactions; a ratio is to nothing beside, and its interval is over
turns. What an interval too long to be waited for costs is reckoned: in its share of the
time with a piece of work under way latencies are as measured, else as with nothing beside.
"""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.load.workload import Arm, Workload
from oltp_lab.measuring.pgbench import Load
from oltp_lab.measuring.statistics import FEWEST, Ratio, compare_pooled, noise, verdict
from oltp_lab.measuring.store import Measurements, Run

NAME = "freshness"
FOLDER = f"load/{NAME}"
NOTHING, AGAIN = "nothing", "nothing_again"
SYNCING = "lab_analytics"
"""Whose statements a command's are."""
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_FEWEST_OF = {"p50": 1, "p95": 20, "p99": 10_000}
"""Transactions that a percentile takes at least."""


@dataclass(frozen=True)
class Way:
    """A way of having figures: a script, run by a role, or a command; and how often."""

    told: str
    every: float
    script: str | None = None
    role: str = SYNCING
    command: list[str] | None = None
    reckoned: tuple[float, ...] = ()


@dataclass(frozen=True)
class Experiment:
    """What ``experiment.toml`` says; lengths are in seconds, ``rate`` transactions/s.

    The load goes on beyond ``seconds`` for a while until there were so many ``turns``.
    """

    question: str
    workload: Workload
    unjudged: list[str]
    sessions: int
    rate: float
    settle: float
    stretch: float
    seconds: float
    turns: int
    warmup: float
    ways: Mapping[str, Way]

    @classmethod
    def read(cls, scale: str) -> "Experiment":
        """The experiment, as long and large as the scale wants it."""
        described = tomllib.loads(sql.read(f"{FOLDER}/experiment.toml"))
        ways = {name: Way(**way) for name, way in described.pop("ways").items()}
        described |= described.pop("scales")[scale]
        chosen = {name: ways[name] for name in described.pop("ways")}
        workload = Workload.read(described.pop("workload"), scale)
        sizes = {name: described.pop(name) for name in workload.sizes if name in described}
        workload = replace(workload, sizes={**workload.sizes, **sizes})
        return cls(workload=workload, ways=chosen, **described)

    @property
    def names(self) -> list[str]:
        """What takes turns."""
        return [NOTHING, *self.ways, AGAIN]

    def load(self, variables: Mapping[str, int | float]) -> Load:
        """The run that everything is beside of."""
        arm = Arm(self.sessions, rate=self.rate)
        loaded = replace(
            self.workload, arms={NAME: arm}, seconds=self.seconds, warmup=self.warmup
        ).load(NAME, variables)
        return replace(loaded, workload=NAME)


def queries() -> dict[str, Any]:
    """Those of ``results.sql``."""
    return sql.queries(f"{FOLDER}/results.sql")


def rows(
    experiment: Experiment, store: Measurements, run: Run, known: Mapping[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """A row for nothing, twice, and for each way at each interval.

    ``known`` are further columns by way. Raises LabError when no turn of all ways has fit.
    """
    asked = {"run_id": run.run_id}
    names = experiment.names
    stretches = store.read(queries()["stretches"], {**asked, "ways": len(names)})
    if stretches.empty:
        raise LabError(
            f"{NAME}: not one turn of {', '.join(names)} has fit into {experiment.seconds:g} s: "
            "configure more seconds"
        )
    latencies = store.read(queries()["latencies"], {**asked, "unjudged": experiment.unjudged})
    pieces, waits = (
        store.read(queries()[name], asked).set_index("way") for name in ("pieces", "propagation")
    )
    samples = Samples(sorted(stretches["turn"].unique()), latencies)
    same = {name: samples.ratio(AGAIN, 1.0, name) for name in ("p50", "p95")}
    found = [_latency(samples, name, 1.0, same) for name in (NOTHING, AGAIN)]
    for name, way in experiment.ways.items():
        worked = stretches.query("way == @name")
        cycle = _mean(worked, "seconds") or 0.0
        for every in (cycle, *(longer for longer in way.reckoned if longer > cycle)):
            row = _latency(samples, name, min(1.0, cycle / every), same)
            row |= {"told": way.told, "every_s": every, "reckoned": every != cycle}
            row["back_to_back"] = way.every == 0 and every == cycle
            row |= _cost(way, worked, pieces.loc[name], every) | known.get(name, {})
            if every == cycle and name in waits.index:
                row |= {f"measured_{q}_s": waits.loc[name, q] for q in QUANTILES}
            found.append(row)
    # Those of the report are there too where no way of the scale makes one.
    columns = dict.fromkeys(("mart_s", "mart_equals"))
    columns |= dict.fromkeys(column for row in found for column in row)
    shared = {"rate": experiment.rate, "turns": len(samples.turns), "seconds": experiment.seconds}
    return [dict.fromkeys(columns) | row | shared for row in found]


@dataclass(frozen=True)
class Samples:
    """Latencies of whole turns; columns turn, way, ms."""

    turns: Sequence[int]
    latencies: pd.DataFrame

    @cached_property
    def _parts(self) -> dict[tuple[str, int], np.ndarray]:
        grouped: Any = self.latencies.groupby(["way", "turn"])["ms"]
        return {(way, int(turn)): part.to_numpy() for (way, turn), part in grouped}

    def of(self, way: str, turns: Sequence[int] | None = None) -> np.ndarray:
        """Those of a way in these turns, which may be named more than once; in all by default."""
        chosen = self.turns if turns is None else turns
        none = np.empty(0)
        return np.concatenate([none, *(self._parts.get((way, int(t)), none) for t in chosen)])

    def quantile(
        self, way: str, share: float, name: str, turns: Sequence[int] | None = None
    ) -> float | None:
        """Of a time that is like the way's for that share, and else as with nothing beside.

        None where there are fewer transactions than that percentile takes.
        """
        busy = self.of(way, turns)
        idle = self.of(AGAIN, turns) if share < 1.0 else busy[:0]
        if len(busy) < _FEWEST_OF[name]:
            return None
        weights = [np.full(len(busy), share / len(busy))]
        weights += [np.full(len(idle), (1.0 - share) / max(1, len(idle)))]
        return float(
            np.quantile(
                np.concatenate([busy, idle]),
                QUANTILES[name],
                weights=np.concatenate(weights),
                method="inverted_cdf",
            )
        )

    def ratio(self, way: str, share: float, name: str) -> Ratio | None:
        """To nothing beside; None for fewer turns or transactions than an interval takes."""
        turns = [
            turn for turn in self.turns if min(len(self.of(w, [turn])) for w in (way, NOTHING))
        ]
        few = min(len(self.of(w, turns)) for w in (way, NOTHING)) < 2 * _FEWEST_OF[name]
        if few or len(turns) < FEWEST:
            return None

        def log_ratio(chosen: np.ndarray) -> float:
            named = [turns[place] for place in chosen]
            ours = self.quantile(way, share, name, named)
            theirs = self.quantile(NOTHING, 1.0, name, named)
            return math.log(ours / theirs) if ours and theirs else 0.0

        return compare_pooled(log_ratio, len(turns))


def _latency(
    samples: Samples, way: str, share: float, same: Mapping[str, Ratio | None]
) -> dict[str, Any]:
    """Percentiles, and how many times those with nothing beside they are."""
    row: dict[str, Any] = {"way": way, "share": share, "calls": len(samples.of(way))}
    for name in QUANTILES:
        row[f"{name}_ms"] = samples.quantile(way, share, name)
    nothing = {name: samples.quantile(NOTHING, 1.0, name) for name in same}
    for name, alike in same.items():
        known = {NOTHING: None, AGAIN: alike}
        effect = known[way] if way in known else samples.ratio(way, share, name)
        row[f"{name}_ratio"] = effect.ratio if effect else _over(row[f"{name}_ms"], nothing[name])
        row |= {f"{name}_low": effect and effect.low, f"{name}_high": effect and effect.high}
        row[f"{name}_noise"] = math.expm1(noise(alike)) if alike else None
        row[f"{name}_verdict"] = verdict(effect, alike) if effect and alike else None
    return row


def _cost(way: Way, worked: pd.DataFrame, piece: pd.Series, every: float) -> dict[str, Any]:
    """What a piece of work takes, and how far behind its figures are at that interval.

    A reader of figures that are made every T seconds, d seconds after their snapshot, gets them
    between d and d + T old; a change is there after as long.
    """
    spent = {name: _mean(worked, name) for name in ("server_s", "blocks", "wal_bytes")}
    if way.script:
        spent = {"server_s": piece["seconds"]}
        quantiles = dict.fromkeys(QUANTILES, piece["behind_s"])
        behind = {"behind_s": piece["seconds_p50"], "behind_most_s": piece["seconds_p95"]}
    else:
        late = piece["behind_s"]
        quantiles = {name: late + share * every for name, share in QUANTILES.items()}
        behind = {"behind_s": late + every / 2, "behind_most_s": late + every}
    busy = (spent["server_s"] or 0.0) + (0.0 if way.script else piece["cpu_s"])
    return {
        "piece_p50_s": piece["seconds_p50"],
        "piece_p95_s": piece["seconds_p95"],
        "rows_a_piece": piece["rows"],
        "process_cpu_s": None if way.script else piece["cpu_s"],
        "process_memory_mb": None if way.script else piece["memory_mb"],
        **spent,
        "core_share": busy / every,
        **behind,
        **{f"propagation_{name}_s": wait for name, wait in quantiles.items()},
    }


def _over(ours: float | None, theirs: float | None) -> float | None:
    return ours / theirs if ours and theirs else None


def _mean(worked: pd.DataFrame, column: str) -> float | None:
    """Over the pieces of a way; None where it was not measured."""
    totals = worked[[column, "pieces"]].to_numpy(dtype=float).sum(axis=0)
    return None if math.isnan(totals[0]) else float(totals[0] / totals[1])

"""Comparing two ways of doing a thing: ratios with intervals, and when to call them different.

Samples are medians of time buckets (or rounds) in which both ways ran side by side, so that what
disturbs the machine disturbs both. Transactions follow each other closely and are no samples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy  # its modules are loaded on first use, so not by each run of Dagster
from numpy.typing import ArrayLike

PRACTICAL = 0.05
"""Differences below 5 % are of no practical consequence."""
FEWEST = 6
"""Pairs below which the signed-rank test cannot reach 5 %, whatever it is given."""

_RESAMPLES = 500

Verdict = Literal["different", "equivalent", "inconclusive"]


@dataclass(frozen=True)
class Ratio:
    """How many times the baseline: the estimate, its 95 % interval, and the p value of "equal"."""

    ratio: float
    low: float
    high: float
    p_value: float
    pairs: int


def compare(variant: ArrayLike, baseline: ArrayLike, *, seed: int = 0) -> Ratio:
    """The ratio of paired medians: mean log ratio, BCa bootstrap over the pairs, signed-rank test.

    Both sequences hold one positive median (same unit) a bucket, in the same order. BCa is Efron's
    bias-corrected and accelerated bootstrap (1987), the test is Wilcoxon's.
    Raises ValueError for fewer than 6 pairs.
    """
    ours, theirs = np.asarray(variant, dtype=float), np.asarray(baseline, dtype=float)
    if len(ours) != len(theirs) or len(ours) < FEWEST:
        raise ValueError(f"{len(ours)} and {len(theirs)} buckets are not {FEWEST} pairs")
    logs = np.log(ours) - np.log(theirs)
    estimate = float(logs.mean())
    if np.ptp(logs) < 1e-9:  # no spread to resample
        low, high = float(logs.min()), float(logs.max())
    else:
        interval = scipy.stats.bootstrap(
            (logs,), np.mean, n_resamples=5000, method="BCa", rng=np.random.default_rng(seed)
        ).confidence_interval
        low, high = float(interval.low), float(interval.high)
    p_value = 1.0 if np.allclose(logs, 0) else _signed_rank(logs, np.random.default_rng(seed))
    ratio, low, high = np.exp([estimate, min(low, estimate), max(high, estimate)]).tolist()
    return Ratio(ratio, low, high, p_value, len(logs))


def compare_pooled(
    log_ratio: Callable[[np.ndarray], float], rounds: int, *, seed: int = 0
) -> Ratio:
    """The ratio of two percentiles, each of the samples of all rounds in one pool.

    ``log_ratio`` takes the numbers of rounds, some more than once, and gives the log of the ratio
    of the percentiles of what these hold. The interval is the percentile bootstrap's over rounds,
    the p value twice the smaller share of resamples on either side of 1 (Efron and Tibshirani,
    1993, chapters 13 and 16). Raises ValueError for fewer than 6 rounds.
    """
    if rounds < FEWEST:
        raise ValueError(f"{rounds} rounds are fewer than {FEWEST}")
    draws = np.random.default_rng(seed).integers(rounds, size=(_RESAMPLES, rounds))
    logs = np.array([log_ratio(draw) for draw in draws])
    estimate = log_ratio(np.arange(rounds))
    low, high = np.quantile(logs, [0.025, 0.975])
    p_value = min(1.0, 2 * min(float((logs <= 0).mean()), float((logs >= 0).mean())))
    ratio, low, high = np.exp([estimate, min(low, estimate), max(high, estimate)]).tolist()
    return Ratio(ratio, low, high, p_value, rounds)


def _signed_rank(logs: np.ndarray, rng: np.random.Generator) -> float:
    """Wilcoxon's p value. Of up to 13 pairs with ties scipy would try every sign, for seconds."""
    tied = len(np.unique(np.abs(logs[logs != 0]))) < len(logs)
    options: dict[str, Any] = {}
    if tied and len(logs) <= 13:
        options["method"] = scipy.stats.PermutationMethod(n_resamples=999, rng=rng)
    return float(np.asarray(scipy.stats.wilcoxon(logs, **options))[1])


def noise(same: Ratio) -> float:
    """The A/A half-width: how far from 1 (as a log) identical things may come out here."""
    return float(max(abs(np.log(same.low)), abs(np.log(same.high))))


def verdict(effect: Ratio, same: Ratio, *, practical: float = PRACTICAL) -> Verdict:
    """What may be said of an effect, given the same comparison of identical things (A against A).

    "different": the interval excludes 1, and the effect exceeds both the A/A half-width and the
    practical threshold. "equivalent": the interval lies within the practical threshold.
    """
    size = abs(np.log(effect.ratio))
    threshold = np.log1p(practical)
    excludes_one = effect.low > 1 or effect.high < 1
    if excludes_one and size > threshold and size > noise(same):
        return "different"
    if max(abs(np.log(effect.low)), abs(np.log(effect.high))) <= threshold:
        return "equivalent"
    return "inconclusive"


def holm(p_values: Sequence[float]) -> list[float]:
    """p values adjusted for many comparisons by Holm's step-down method (1979), in their order."""
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    stepped = np.maximum.accumulate(np.asarray(p_values, dtype=float)[order] * factors)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted.tolist()


@dataclass(frozen=True)
class Exponent:
    """How a cost grows: as the size to the power of ``exponent``, with its 95 % interval."""

    exponent: float
    low: float
    high: float


def exponent(sizes: ArrayLike, costs: ArrayLike) -> Exponent:
    """The slope of log cost over log size, a pair a call; least squares, Student's t for the slope.

    Raises ValueError for fewer than 3 calls, or where a size or a cost is not positive.
    """
    ours, theirs = np.asarray(sizes, dtype=float), np.asarray(costs, dtype=float)
    if len(ours) < 3 or min(ours.min(), theirs.min()) <= 0:
        raise ValueError(f"{len(ours)} calls are not 3 of positive size and cost")
    fit: Any = scipy.stats.linregress(np.log(ours), np.log(theirs))
    error = 0.0 if np.ptp(theirs) == 0 else float(fit.stderr)  # nan where all cost the same
    half = float(scipy.stats.t.ppf(0.975, len(ours) - 2)) * error
    return Exponent(float(fit.slope), float(fit.slope) - half, float(fit.slope) + half)


def logarithmic(span: float) -> float:
    """The exponent that a cost may show, when a size grows ``span`` times, and be logarithmic.

    A B-tree whose pages have more entries than ``span`` gains one level at most. That shows the
    most where there is the least to read: a table's block and its index' root alone become a block
    and two of the index, which is half as much again.
    """
    return float(np.log(3 / 2) / np.log(span))

"""What a spy learns by guessing one secret bit: bits a probe, how surely, and what would be found.

Secrets are balanced (as many true as false) and in random order. A guess at one trial is made by a
rule learned from others, so that what was observed cannot explain itself.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import scipy  # its modules are loaded on first use, so not by each run of Dagster
from numpy.typing import ArrayLike

CONFIDENCE = 0.999
"""Of every interval: a lab measures dozens of channels, and none is to be called open by chance."""
POWER = 0.9
"""At which the smallest detectable effect is told."""


@dataclass(frozen=True)
class Guesses:
    """The confusion table: of ``positives`` true secrets ``hits`` were guessed, of ``negatives``
    false ones ``alarms`` were guessed to be true."""

    hits: int
    positives: int
    alarms: int
    negatives: int

    @property
    def accuracy(self) -> float:
        """The share of right guesses."""
        right = self.hits + self.negatives - self.alarms
        return right / (self.positives + self.negatives)

    @property
    def p_value(self) -> float:
        """Fisher's, of guesses that are no better than chance."""
        table = [
            [self.hits, self.positives - self.hits],
            [self.alarms, self.negatives - self.alarms],
        ]
        return float(np.asarray(scipy.stats.fisher_exact(table, alternative="greater"))[1])


@dataclass(frozen=True)
class Information:
    """Bits a probe: the estimate and its interval. Above ``high`` there is nothing."""

    bits: float
    low: float
    high: float


@dataclass(frozen=True)
class Shift:
    """By how much one sample lies above another (Hodges and Lehmann's estimate, in their unit), the
    p value of "not at all" (Mann and Whitney's), and the smallest shift that would be found."""

    effect: float
    p_value: float
    detectable: float


def mutual_information(hit_rate: float, alarm_rate: float) -> float:
    """Bits that a guess tells of a secret that is as often true as false."""
    guessed = (hit_rate + alarm_rate) / 2
    return max(0.0, _entropy(guessed) - (_entropy(hit_rate) + _entropy(alarm_rate)) / 2)


def _entropy(share: float) -> float:
    return float(scipy.stats.entropy([share, 1 - share], base=2))


def information(found: Guesses, confidence: float = CONFIDENCE) -> Information:
    """Bits a probe by Miller and Madow's estimate (1955), between Clopper and Pearson's bounds.

    Mutual information is convex in both rates, so its extremes lie on corners of their bounds.
    """
    each = 1 - (1 - confidence) / 2  # both at once
    hits = scipy.stats.binomtest(found.hits, found.positives).proportion_ci(each)
    alarms = scipy.stats.binomtest(found.alarms, found.negatives).proportion_ci(each)
    low = mutual_information(hits.low, alarms.high) if hits.low > alarms.high else 0.0
    high = mutual_information(hits.high, alarms.low) if hits.high > alarms.low else 0.0
    rates = found.hits / found.positives, found.alarms / found.negatives
    bias = 1 / (2 * np.log(2) * (found.positives + found.negatives))
    bits = mutual_information(*rates) - bias if rates[0] > rates[1] else 0.0
    return Information(float(np.clip(bits, low, high)), low, high)


def guess(secrets: Sequence[bool], observed: Sequence[Hashable], *, numeric: bool) -> Guesses:
    """Guess each half of the trials by a rule learned from the other.

    Numbers are compared with a threshold, anything else is looked up: what was seen rather with
    true secrets means true. Raises ValueError for fewer than two trials of a kind.
    """
    if min(Counter(secrets)[True], Counter(secrets)[False]) < 2:
        raise ValueError("a rule is learned from two trials of each kind, or more")
    halves = _halves(secrets)
    counts: Counter[tuple[bool, bool]] = Counter()
    for half in (0, 1):
        learned = [(observed[i], secrets[i]) for i in range(len(secrets)) if halves[i] != half]
        rule = _threshold(learned) if numeric else _lookup(learned)
        counts.update(
            (secrets[i], rule(observed[i])) for i in range(len(secrets)) if halves[i] == half
        )
    return Guesses(
        counts[True, True],
        counts[True, True] + counts[True, False],
        counts[False, True],
        counts[False, True] + counts[False, False],
    )


def _halves(secrets: Sequence[bool]) -> list[int]:
    """Alternately within each kind, so that both halves hold as many of either."""
    seen = {True: 0, False: 0}
    halves = []
    for secret in secrets:
        halves.append(seen[secret] % 2)
        seen[secret] += 1
    return halves


def _lookup(learned: Sequence[tuple[Hashable, bool]]) -> Callable[[Hashable], bool]:
    votes: Counter[Hashable] = Counter()
    for seen, secret in learned:
        votes[seen] += 1 if secret else -1
    return lambda seen: votes[seen] > 0


def _threshold(learned: Sequence[tuple[Hashable, bool]]) -> Callable[[Hashable], bool]:
    """The cut between two numbers, and its direction, that tells the kinds apart best."""
    values = np.array([float(str(seen)) for seen, _ in learned])
    truth = np.array([secret for _, secret in learned])
    order = np.argsort(values, kind="stable")
    values, truth = values[order], truth[order]
    below = np.cumsum(truth / truth.sum()) - np.cumsum(~truth / (~truth).sum())
    cuts = np.flatnonzero(np.diff(values) > 0)
    if not len(cuts):
        return lambda seen: False
    best = cuts[np.argmax(np.abs(below[cuts]))]
    cut, below_is_true = (values[best] + values[best + 1]) / 2, below[best] > 0
    return lambda seen: bool((float(str(seen)) < cut) == below_is_true)


def power(bits: float, trials: int, confidence: float = CONFIDENCE) -> float:
    """The chance that so many trials would have found a channel (as often wrong either way) of so
    many bits a probe: that the lower bound of ``information`` lies above zero."""
    right = _right_guesses(bits)
    each = trials // 2
    successes = np.arange(each + 1)
    tail = (1 - confidence) / 4
    lowest = np.nan_to_num(scipy.stats.beta.ppf(tail, successes, each - successes + 1), nan=0.0)
    highest = 1 - lowest[::-1]
    allowed = np.searchsorted(highest, lowest, side="left")  # alarms that stay below
    chance = scipy.stats.binom.pmf(successes, each, right)
    chance = chance * scipy.stats.binom.cdf(allowed - 1, each, 1 - right)
    return float(chance.sum())


def _right_guesses(bits: float) -> float:
    """The share of right guesses that tells so many bits."""
    if bits >= 1:
        return 1.0
    return _root(lambda share: 1 - _entropy(share) - bits, 0.5, 1)


def detectable(trials: int) -> float:
    """The fewest bits a probe that so many trials find with 90 % power; 1 when none do."""
    if power(1, trials) < POWER:
        return 1.0
    return _root(lambda bits: power(bits, trials) - POWER, 1e-9, 1)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    return float(cast(float, scipy.optimize.brentq(function, low, high, xtol=1e-9)))


def shift(above: ArrayLike, below: ArrayLike, *, significance: float = 1 - CONFIDENCE) -> Shift:
    """Compare two samples; what would be found is Noether's (1987): the shift at which as many
    pairs are in order as the test needs for 90 % power at these sizes."""
    ours, theirs = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    p_value = float(scipy.stats.mannwhitneyu(ours, theirs).pvalue)
    n, m = len(ours), len(theirs)
    needed = scipy.stats.norm.isf(significance / 2) + scipy.stats.norm.ppf(POWER)
    in_order = 0.5 + needed * np.sqrt((n + m) / (12 * n * m))
    noise = np.concatenate([_differences(ours, ours), _differences(theirs, theirs)])
    detectable = float(np.quantile(noise, in_order)) if in_order < 1 else float("inf")
    return Shift(float(np.median(_differences(ours, theirs))), p_value, detectable)


def _differences(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    return np.subtract.outer(ours, theirs).ravel()

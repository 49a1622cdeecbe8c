"""The arithmetic of comparisons: properties that hold for any numbers, and known answers."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oltp_lab.measuring.statistics import (
    Ratio,
    compare,
    compare_pooled,
    holm,
    noise,
    verdict,
)

Medians = np.ndarray


@st.composite
def medians(draw: st.DrawFn) -> tuple[Medians, Medians]:
    """Latencies of two variants in the same buckets; like real ones, no two are the same."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (2, draw(st.integers(12, 40)))
    variant, baseline = random.lognormal(draw(st.floats(-4, 4)), draw(st.floats(0.01, 1)), shape)
    return variant, baseline


quiet = Ratio(1.0, 0.99, 1.01, 0.5, 20)


def test_a_known_slowdown_is_found_in_noise() -> None:
    random = np.random.default_rng(7)
    disturbance = random.lognormal(0, 0.5, 40)  # hits both alike
    baseline = disturbance * random.lognormal(0, 0.03, 40)
    variant = disturbance * 1.2 * random.lognormal(0, 0.03, 40)
    effect = compare(variant, baseline)
    assert effect.low < 1.2 < effect.high
    assert effect.high / effect.low < 1.05
    assert effect.p_value < 0.001
    assert verdict(effect, quiet) == "different"


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(11)
    covered = 0
    for _ in range(100):
        same = compare(random.lognormal(0, 0.2, 30), random.lognormal(0, 0.2, 30))
        covered += same.low <= 1 <= same.high
    assert 87 <= covered <= 99


@given(medians(), st.floats(min_value=0.1, max_value=10))
@settings(max_examples=25)
def test_a_ratio_scales_with_its_variant(measured: tuple[Medians, Medians], by: float) -> None:
    variant, baseline = measured
    once, scaled = compare(variant, baseline), compare(variant * by, baseline)
    for name in ("ratio", "low", "high"):
        assert getattr(scaled, name) == pytest.approx(getattr(once, name) * by, rel=0.01)


@given(medians())
@settings(max_examples=25)
def test_swapping_the_sides_inverts_the_ratio(measured: tuple[Medians, Medians]) -> None:
    variant, baseline = measured
    there, back = compare(variant, baseline), compare(baseline, variant)
    assert there.ratio == pytest.approx(1 / back.ratio)
    assert there.p_value == pytest.approx(back.p_value)
    assert there.low <= there.ratio <= there.high


@given(medians())
@settings(max_examples=25)
def test_identical_measurements_are_equivalent(measured: tuple[Medians, Medians]) -> None:
    same = compare(measured[0], measured[0])
    assert (same.ratio, same.low, same.high, same.p_value) == (1, 1, 1, 1)
    assert verdict(same, quiet) == "equivalent"


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="6 pairs"):
        compare([1.0] * 5, [1.0] * 5)
    with pytest.raises(ValueError, match="6 pairs"):
        compare([1.0] * 7, [1.0] * 8)


@pytest.mark.parametrize(
    ("effect", "same", "expected"),
    [
        (Ratio(1.20, 1.15, 1.25, 0, 9), quiet, "different"),
        (Ratio(0.80, 0.75, 0.85, 0, 9), quiet, "different"),
        (Ratio(1.20, 0.95, 1.50, 0, 9), quiet, "inconclusive"),  # the interval has 1 in it
        (Ratio(1.20, 1.15, 1.25, 0, 9), Ratio(1, 0.8, 1.3, 1, 9), "inconclusive"),  # noisier
        (Ratio(1.03, 1.02, 1.04, 0, 9), quiet, "equivalent"),  # certain, but of no consequence
        (Ratio(1.03, 0.97, 1.09, 0, 9), quiet, "inconclusive"),
    ],
)
def test_verdicts(effect: Ratio, same: Ratio, expected: str) -> None:
    assert verdict(effect, same) == expected


def test_noise_is_the_farther_end_of_the_interval() -> None:
    assert noise(Ratio(1, 0.9, 1.05, 1, 9)) == pytest.approx(-np.log(0.9))


def test_holm_against_the_textbook() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(min_value=0, max_value=1), min_size=1, max_size=12), st.randoms())
def test_holm_never_lowers_and_keeps_the_order(p_values: list[float], random) -> None:
    adjusted = holm(p_values)
    assert all(raw <= new <= 1 for raw, new in zip(p_values, adjusted, strict=True))
    ranked = [new for _, new in sorted(zip(p_values, adjusted, strict=True))]
    assert ranked == sorted(ranked)
    order = list(range(len(p_values)))
    random.shuffle(order)
    shuffled = holm([p_values[i] for i in order])
    assert shuffled == pytest.approx([adjusted[i] for i in order])


def test_percentiles_of_pooled_rounds_are_compared_with_an_interval_over_rounds() -> None:
    """One round in ten is disturbed; it widens the interval and hardly moves the estimate."""
    rng = np.random.default_rng(1)
    theirs = rng.lognormal(1.0, 0.5, (10, 100))
    ours = 1.5 * rng.lognormal(1.0, 0.5, (10, 100))
    disturbed = ours.copy()
    disturbed[3] *= 10

    def log_ratio(rows: np.ndarray) -> Callable[[np.ndarray], float]:
        return lambda chosen: float(
            np.log(np.quantile(rows[chosen], 0.5) / np.quantile(theirs[chosen], 0.5))
        )

    steady, shaken = (compare_pooled(log_ratio(rows), 10) for rows in (ours, disturbed))
    assert steady.low < 1.5 < steady.high
    assert steady.low > 1.2
    assert steady.p_value < 0.05
    assert shaken.ratio == pytest.approx(steady.ratio, rel=0.2)
    assert shaken.high > steady.high
    with pytest.raises(ValueError, match="6"):
        compare_pooled(log_ratio(ours), 5)

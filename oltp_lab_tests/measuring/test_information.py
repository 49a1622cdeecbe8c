"""What a spy learns: the figures' laws, and that their promises of coverage and power are kept."""

import random

import numpy as np
import pytest
from scipy import stats

from oltp_lab.measuring.information import (
    Guesses,
    detectable,
    guess,
    information,
    mutual_information,
    power,
    shift,
)

RATES = [i / 20 for i in range(21)]
SECRETS = [True, False] * 50


@pytest.mark.parametrize("hit", RATES)
def test_information_is_none_for_independent_guesses_and_at_most_a_bit(hit: float) -> None:
    assert mutual_information(hit, hit) == pytest.approx(0, abs=1e-12)
    for alarm in RATES:
        bits = mutual_information(hit, alarm)
        assert 0 <= bits <= 1 + 1e-12
        assert bits == pytest.approx(mutual_information(alarm, hit))
        assert bits == pytest.approx(mutual_information(1 - hit, 1 - alarm))
    assert mutual_information(1, 0) == pytest.approx(1)


def test_information_grows_with_the_distance_of_the_rates() -> None:
    for alarm in RATES:
        above = [mutual_information(hit, alarm) for hit in RATES if hit >= alarm]
        assert above == sorted(above)


def test_the_interval_holds_the_truth() -> None:
    rng = np.random.default_rng(1)
    hit, alarm, n, held = 0.7, 0.4, 60, 0
    for _ in range(100):
        found = information(
            Guesses(int(rng.binomial(n, hit)), n, int(rng.binomial(n, alarm)), n), confidence=0.95
        )
        assert found.low <= found.bits <= found.high
        held += found.low <= mutual_information(hit, alarm) <= found.high
    assert held / 100 >= 0.9


def test_guesses_by_chance_are_told_from_others() -> None:
    nothing = information(Guesses(25, 50, 25, 50))
    assert (nothing.bits, nothing.low) == (0, 0)
    assert 0 < nothing.high < 0.3
    everything = information(Guesses(50, 50, 0, 50))
    assert everything.low > 0.3
    assert everything.high == pytest.approx(1)


@pytest.mark.parametrize("numeric", [False, True])
def test_a_rule_is_learned_only_where_there_is_one(numeric: bool) -> None:
    perfect = guess(SECRETS, [3.0 if s else 5.0 for s in SECRETS], numeric=numeric)
    assert (perfect.hits, perfect.alarms, perfect.accuracy) == (50, 0, 1)
    same = guess(SECRETS, [1.0] * 100, numeric=numeric)
    assert same.hits == same.alarms
    rng = random.Random(1)
    # Each observation is unique: what explains itself would be guessed perfectly.
    noise = guess(SECRETS, [rng.random() for _ in SECRETS], numeric=numeric)
    assert information(noise).low == 0


def test_a_rule_needs_two_of_each_kind() -> None:
    with pytest.raises(ValueError, match="two trials"):
        guess([True, True, False], ["a", "a", "b"], numeric=False)


def test_power_grows_with_trials_and_with_bits() -> None:
    by_trials = [power(0.1, n) for n in (40, 100, 250, 1000)]
    by_bits = [power(bits, 100) for bits in (0.01, 0.1, 0.3, 1)]
    assert by_trials == sorted(by_trials)
    assert by_bits == sorted(by_bits)
    assert by_bits[0] < 0.01
    assert by_bits[-1] == pytest.approx(1)


def test_the_detectable_is_detected_as_often_as_promised() -> None:
    rng = np.random.default_rng(1)
    bits = detectable(200)
    right = next(
        share for share in np.linspace(0.5, 1, 5001) if mutual_information(share, 1 - share) >= bits
    )
    found = [
        information(
            Guesses(int(rng.binomial(100, right)), 100, int(rng.binomial(100, 1 - right)), 100)
        ).low
        > 0
        for _ in range(100)
    ]
    assert np.mean(found) == pytest.approx(0.9, abs=0.1)
    assert detectable(1000) < bits
    assert detectable(4) == 1


def test_the_detectable_shift_is_detected_as_often_as_promised() -> None:
    rng = np.random.default_rng(1)

    def times() -> np.ndarray:  # as latencies are: skewed
        return rng.lognormal(3, 0.5, 300)

    asked = shift(times(), times())
    assert asked.p_value > 0.001
    found = [
        stats.mannwhitneyu(times() + asked.detectable, times()).pvalue < 0.001 for _ in range(100)
    ]
    assert 0.7 < np.mean(found) <= 1
    seen = shift(times() + 100, times())
    assert seen.p_value < 1e-9
    assert seen.effect == pytest.approx(100, rel=0.1)

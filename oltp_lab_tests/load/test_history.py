"""The warning: planted histories of runs that were slower, on machines that were slower or not."""

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg
import pytest

from oltp_lab.load import checks
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.resources import MeasurementsResource

MACHINE = {"shared_buffers": "1GB", "machine.cores": "2"}
USUAL = [(1000.0, 500.0), (1040.0, 510.0), (960.0, 490.0), (1020.0, 500.0)]
"""Throughput and calibration of trailing runs."""

Judge = Callable[..., dg.AssetCheckResult]


@pytest.fixture
def plant(store: Measurements) -> Callable[..., None]:
    def planted(figures: Sequence[tuple[float, float]], **changes: Any) -> None:
        machine = Run("", 180006, changes.pop("settings", MACHINE), "challenge", None)
        for tps, calibration in figures:
            number = len(list((store.folder / "load_runs").glob("*")))
            run = Run(f"run-{number}", *list(vars(machine).values())[1:])
            row = {
                "workload": "billing_stress", "arm": "direct_8", "sessions": 8,
                "through": "direct", "pool": None, "seconds": 8.0, "offered_tps": None,
                "tps": tps, "calibration_tps": calibration, "complete": True, "void": None,
            }  # fmt: skip
            store.append("load_runs", [row | changes], run=run)

    return planted


@pytest.fixture
def judge(store: Measurements, monkeypatch: pytest.MonkeyPatch) -> Judge:
    monkeypatch.setattr(MeasurementsResource, "store", lambda _: store)

    def judged() -> dg.AssetCheckResult:
        check = checks._no_slower("billing_stress")
        assert not next(iter(check.check_specs)).blocking
        result = check(MeasurementsResource())
        assert isinstance(result, dg.AssetCheckResult)
        assert result.severity == dg.AssetCheckSeverity.WARN
        return result

    return judged


@pytest.mark.parametrize(
    ("newest", "passes"),
    [
        ((1010.0, 500.0), True),
        ((500.0, 500.0), False),  # slower by half
        ((500.0, 250.0), True),  # and so is the machine
        ((1000.0, 1000.0), False),  # a faster machine, on which it is no faster
        ((2000.0, 500.0), True),  # faster is no reason to warn
    ],
)
def test_a_run_is_judged_by_its_calibration(
    plant: Callable[..., None], judge: Judge, newest: tuple[float, float], passes: bool
) -> None:
    plant(USUAL)
    plant([newest])
    result = judge()
    assert result.passed == passes
    assert "direct_8: " in (result.description or "")
    assert "of the median of 4 runs" in (result.description or "")


def test_scatter_widens_what_is_usual(plant: Callable[..., None], judge: Judge) -> None:
    plant([(tps, 500.0) for tps in (1000.0, 500.0, 1800.0, 700.0, 1400.0)])
    plant([(500.0, 500.0)])
    assert judge().passed


def test_only_the_ten_newest_count(plant: Callable[..., None], judge: Judge) -> None:
    plant([(4000.0, 500.0)] * 5)
    plant([(1000.0, 500.0)] * 11)
    result = judge()
    assert result.passed
    assert "of the median of 10 runs" in (result.description or "")


def test_two_runs_are_too_few(plant: Callable[..., None], judge: Judge) -> None:
    plant(USUAL[:2])
    plant([(100.0, 500.0)])
    result = judge()
    assert result.passed
    assert result.description == "too few runs to compare"


@pytest.mark.parametrize(
    "other",
    [
        {"settings": {**MACHINE, "machine.cores": "8"}},
        {"settings": {**MACHINE, "shared_buffers": "8GB"}},
        {"arm": "direct_32"},
        {"sessions": 16},
        {"seconds": 20.0},
        {"complete": False},
        {"void": "the client was busy"},
        {"calibration_tps": None},
    ],
)
def test_other_machines_and_other_loads_are_no_measure(
    plant: Callable[..., None], judge: Judge, other: dict[str, Any]
) -> None:
    plant(USUAL, **other)
    plant([(500.0, 500.0)])
    result = judge()
    assert result.passed
    assert result.description == "too few runs to compare"


@pytest.mark.parametrize("changes", [{"calibration_tps": None}, {"offered_tps": 400.0}])
def test_what_has_no_figure_is_not_compared(
    plant: Callable[..., None], judge: Judge, changes: dict[str, Any]
) -> None:
    plant(USUAL)
    plant([(500.0, 500.0)], **changes)
    result = judge()
    assert result.passed
    assert "nothing to compare" in (result.description or "")

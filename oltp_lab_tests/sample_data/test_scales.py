"""Scales that cannot be are refused in one line; those of the settings can be."""

from dataclasses import asdict
from pathlib import Path

import pytest

from oltp_lab import settings
from oltp_lab.errors import LabError
from oltp_lab.sample_data import scales

POSSIBLE = {
    "tenants": 20,
    "sending_tenants": 6,
    "former_tenants": 2,
    "users": 200,
    "running_campaigns": 25,
    "other_campaigns": 15,
    "leads": 1000,
    "enrollments": 1500,
}


@pytest.fixture
def write(editable_sql: Path):
    def write(sizes: dict[str, object]) -> None:
        lines = [f"{name} = {size}" for name, size in sizes.items()]
        (editable_sql / scales.FILE).write_text("\n".join(["[mine]", *lines]))

    return write


@pytest.mark.parametrize("name", settings.SCALES)
def test_the_scales_of_the_settings_are_possible(name: str) -> None:
    assert scales.sizes(name).leads > 0


def test_challenge_is_what_was_asked_for() -> None:
    found = scales.sizes("challenge")
    assert found.tenants == 2_000
    assert (found.running_campaigns, found.sending_tenants) == (5_000, 500)
    assert found.leads == 100_000
    assert found.users * 100 >= found.tenants * 1_000


def test_enterprise_is_ten_times_the_challenge() -> None:
    challenge, enterprise = asdict(scales.sizes("challenge")), asdict(scales.sizes("enterprise"))
    assert all(enterprise[name] >= 10 * size for name, size in challenge.items())


def test_a_scale_is_added_by_a_few_lines(write) -> None:
    write(POSSIBLE)
    assert scales.sizes("mine").running_campaigns == 25


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"leads": "'many'"}, "whole numbers.*leads"),
        ({"leads": "true"}, "whole numbers.*leads"),
        ({"leads": -1}, "whole numbers.*leads"),
        ({"leads": 2**31}, "whole numbers.*leads"),
        ({"leads": 23}, "leads must be at least 25"),
        ({"leeds": 5}, "lacks, or should not have.*leeds"),
        ({"tenants": 8}, "tenants must be more"),
        ({"sending_tenants": 0}, "sending_tenants must be at least 1"),
        ({"users": 19}, "users must be at least"),
        ({"running_campaigns": 24}, "running_campaigns must be at least 25"),
        ({"enrollments": 0}, "enrollments must be at least 1"),
        ({"leads": "]"}, "is no TOML"),
    ],
)
def test_impossible_sizes_are_refused(write, change: dict[str, object], told: str) -> None:
    write(POSSIBLE | change)
    with pytest.raises(LabError, match=told):
        scales.sizes("mine")


def test_a_missing_size_is_named(write) -> None:
    write({name: size for name, size in POSSIBLE.items() if name != "users"})
    with pytest.raises(LabError, match="users"):
        scales.sizes("mine")


def test_an_unknown_scale_is_named() -> None:
    with pytest.raises(LabError, match=r"no scale 'gigantic' in sql/sample_data/scales.toml"):
        scales.sizes("gigantic")

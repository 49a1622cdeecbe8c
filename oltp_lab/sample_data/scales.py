"""How many rows a scale has: ``sql/sample_data/scales.toml``, read and checked."""

import math
import tomllib
from dataclasses import dataclass, fields

from oltp_lab import sql
from oltp_lab.errors import LabError

FILE = "sample_data/scales.toml"


@dataclass(frozen=True)
class Sizes:
    """Numbers of rows; the file says what each means."""

    tenants: int
    sending_tenants: int
    former_tenants: int
    users: int
    running_campaigns: int
    other_campaigns: int
    leads: int
    enrollments: int

    @property
    def smallest_share(self) -> float:
        """Of a thing that the tenants in business share by Zipf's law, what the last one gets."""
        tenants = self.sending_tenants + self.former_tenants
        return 1 / (tenants * (math.log(tenants) + 1))


def sizes(scale: str) -> Sizes:
    """The sizes of one scale.

    Raises LabError when the file does not have it, or has it with sizes that cannot be.
    """
    try:
        table = tomllib.loads(sql.read(FILE)).get(scale)
    except tomllib.TOMLDecodeError as error:
        raise LabError(f"sql/{FILE} is no TOML: {error}") from None
    if not isinstance(table, dict):
        raise LabError(f"there is no scale {scale!r} in sql/{FILE}: add it there")
    names = {field.name for field in fields(Sizes)}
    if wrong := sorted(names ^ table.keys()):
        raise LabError(f"the scale {scale!r} in sql/{FILE} lacks, or should not have: {wrong}")
    if wrong := sorted(name for name, size in table.items() if not _is_size(size)):
        raise LabError(f"the scale {scale!r} in sql/{FILE} needs whole numbers of rows: {wrong}")
    found = Sizes(**table)
    if problem := _problem(found):
        raise LabError(f"the scale {scale!r} in sql/{FILE} cannot be: {problem}")
    return found


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _problem(found: Sizes) -> str | None:
    """Why the data could not be what its rules promise, or None."""
    least = math.ceil(1 / found.smallest_share) if found.sending_tenants else 0
    needs = {
        "sending_tenants must be at least 1": found.sending_tenants >= 1,
        "tenants must be more than sending_tenants and former_tenants together": (
            found.tenants > found.sending_tenants + found.former_tenants
        ),
        "users must be at least as many as tenants, which have an owner each": (
            found.users >= found.tenants
        ),
        f"running_campaigns must be at least {least}, so that the smallest tenant has one": (
            found.running_campaigns >= least
        ),
        f"leads must be at least {least}, so that the smallest tenant has one": (
            found.leads >= least
        ),
        "enrollments must be at least 1": found.enrollments >= 1,
    }
    return next((need for need, met in needs.items() if not met), None)

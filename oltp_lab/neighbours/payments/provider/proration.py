"""The arithmetic of billing: periods counted from an anchor, and parts of them to the cent."""

import itertools
from datetime import UTC, datetime
from fractions import Fraction


def round_half_away(amount: Fraction) -> int:
    """To whole cents."""
    return (abs(amount) + Fraction(1, 2)).__floor__() * (1 if amount >= 0 else -1)


def months_after(anchor: int, months: int) -> int:
    """Counted from the anchor: one begun on the 31st ends on the last day of a shorter month."""
    begun = datetime.fromtimestamp(anchor, UTC)
    year, month = divmod(begun.year * 12 + begun.month - 1 + months, 12)
    for day in range(begun.day, begun.day - 4, -1):
        try:
            return int(begun.replace(year=year, month=month + 1, day=day).timestamp())
        except ValueError:
            continue
    raise AssertionError(anchor)


def period_end(anchor: int, interval: str, after: int) -> int:
    """The first end of a period, counted from the anchor, that comes after a time."""
    step = 12 if interval == "year" else 1
    return next(end for n in itertools.count(1) if (end := months_after(anchor, n * step)) > after)


def remaining(worth: int, starts: int, ends: int, at: int) -> int:
    """What is left of a period's price at a time, prorated to the second and rounded by itself."""
    return round_half_away(worth * Fraction(min(max(ends - at, 0), ends - starts), ends - starts))


def settled(total: int, balance: int) -> tuple[int, int]:
    """What is due of an invoice when a customer has a balance, and the balance after it.

    A balance below zero is credit; what an invoice gives back is added to it.
    """
    left = total + balance
    return max(left, 0), min(left, 0)

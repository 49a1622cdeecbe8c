"""Choices that a random thing is made of, kept so that it can be made again, and made smaller.

A thing is made by asking for numbers, 0 being the simplest answer to each. Shrinking it is
shrinking the list of its choices, as Hypothesis does. Hypothesis itself makes such things more
slowly than the server answers queries, and leaves files in the working directory.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass
class Choices:
    """Answers to be given first, and where later ones come from: chance, or always 0."""

    first: tuple[int, ...] = ()
    chance: random.Random | None = None
    made: list[int] = field(default_factory=list)

    def below(self, count: int) -> int:
        """The next choice among so many."""
        if len(self.made) < len(self.first):
            choice = self.first[len(self.made)] % count
        else:
            choice = self.chance.randrange(count) if self.chance else 0
        self.made.append(choice)
        return choice


def shrink(
    start: tuple[int, ...],
    still: Callable[[tuple[int, ...]], bool],
    hints: tuple[tuple[int, ...], ...] = (),
    limit: int = 600,
) -> tuple[int, ...]:
    """Choices of which ``still`` holds as of ``start``, and of none that is a step smaller.

    Fewer are smaller, then lower ones. ``hints`` are tried first; ``limit`` bounds the tries.
    """
    best, tried = _trimmed(start), set()
    found = True
    while found:
        found = False
        for candidate in (*hints, *_smaller(best)):
            smaller = _trimmed(candidate)
            if smaller in tried or (len(smaller), smaller) >= (len(best), best):
                continue
            if len(tried) == limit:
                return best
            tried.add(smaller)
            if still(smaller):
                best, found = smaller, True
                break
    return best


def _trimmed(choices: tuple[int, ...]) -> tuple[int, ...]:
    """Without the zeros at the end, which are chosen anyway."""
    end = len(choices)
    while end and choices[end - 1] == 0:
        end -= 1
    return choices[:end]


def _smaller(choices: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Leave out runs of choices, long ones first; then lower single ones."""
    length = len(choices)
    while length := length // 2:
        for at in range(0, len(choices) - length + 1):
            yield choices[:at] + choices[at + length :]
            yield choices[:at] + (0,) * length + choices[at + length :]
    for at, choice in enumerate(choices):
        for lower in dict.fromkeys((0, choice // 2, choice - 1)):
            if 0 <= lower < choice:
                yield (*choices[:at], lower, *choices[at + 1 :])

"""Reading pgbench scripts, for those who run or explain their statements by other means.

Understood are ``\\set NAME random(A, B)`` and ``random_zipfian(A, B, S)``, and one pipeline.
"""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import LiteralString, cast

from oltp_lab.errors import LabError

_PIPELINE = re.compile(r"^\\startpipeline\n(.*?)^\\endpipeline", re.MULTILINE | re.DOTALL)
_SET = re.compile(r"^\\set (\w+) (\w+)\((.*)\)$", re.MULTILINE)
_META = re.compile(r"^\\(?!set \w+ random|startpipeline$|endpipeline$).*", re.MULTILINE)
_VARIABLE = re.compile(r"(?<!:):([a-z_]+)")

Draw = Callable[[], int]


@dataclass(frozen=True)
class Script:
    """How its variables are drawn, and its statements with psycopg's parameters."""

    draws: Mapping[str, Draw]
    statements: tuple[LiteralString, ...]

    @classmethod
    def read(cls, path: Path, variables: Mapping[str, str | int | float]) -> "Script":
        """The script of a file. Raises LabError for one with anything else in it."""
        text = path.read_text("utf-8")
        if other := _META.search(text):
            raise LabError(f"{path.name} has {other[0]!r}, which only pgbench understands")
        if not (found := statements(path)):
            raise LabError(f"{path.name} has no pipeline: only pgbench runs such a script")
        draws = {
            name: _draw(function, [_number(word, variables) for word in words.split(",")])
            for name, function, words in _SET.findall(text)
        }
        return cls(draws, found)

    def drawn(self) -> dict[str, int]:
        """Values for its variables."""
        return {name: draw() for name, draw in self.draws.items()}


def statements(path: Path) -> tuple[LiteralString, ...]:
    """Those of a script's pipeline, with psycopg's parameters; none without a pipeline."""
    pipeline = _PIPELINE.search(path.read_text("utf-8"))
    texts = pipeline[1].rstrip().removesuffix(";").split(";\n") if pipeline else ()
    return tuple(_bound(text) for text in texts)


def _bound(text: str) -> LiteralString:
    """pgbench's variables as psycopg's parameters."""
    return cast(LiteralString, _VARIABLE.sub(r"%(\1)s", text.strip().replace("%", "%%")))


def _number(word: str, variables: Mapping[str, str | int | float]) -> float:
    word = word.strip()
    return float(variables[word[1:]] if word.startswith(":") else word)


def _draw(function: str, numbers: list[float]) -> Draw:
    low, high = int(numbers[0]), int(numbers[1])
    if function == "random":
        return lambda: random.randint(low, high)
    values = range(low, high + 1)
    weights = list(accumulate((place + 1) ** -numbers[2] for place in range(len(values))))
    return lambda: random.choices(values, cum_weights=weights)[0]

"""The assets and checks of the neighbours, each of which has them in a package of its own."""

from typing import Any

assets: list[Any] = []
checks: list[Any] = []

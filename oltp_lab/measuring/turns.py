"""Ways of doing a thing that take turns, so that what disturbs the machine disturbs all alike."""

from collections.abc import Callable, Mapping


def in_turns(
    ways: Mapping[str, Callable[[], float]], rounds: int, *, warm_up: int = 1
) -> dict[str, list[float]]:
    """What each way returned, a value a round; the order is the reverse every other round.

    The first ``warm_up`` rounds are beside the others, and left out.
    """
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(-warm_up, rounds):
        for name in list(ways)[:: 1 if number % 2 else -1]:
            value = ways[name]()
            if number >= 0:
                found[name].append(value)
    return found

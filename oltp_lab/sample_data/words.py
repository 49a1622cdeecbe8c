"""Words that the sample data is made of, drawn from Faker. The server combines them."""

import re
from collections.abc import Callable
from importlib.metadata import version

COUNT = 500
"""How many of each kind; ``pg_temp.word`` in ``ground.sql`` draws one of them."""

_PROVIDERS = ["faker.providers.person", "faker.providers.company"]


def source() -> str:
    """What the words depend on, beside the seed."""
    return f"faker {version('faker')}"


def rows(seed: int) -> list[tuple[int, str, str, str, str, str]]:
    """Rows (n, first_name, last_name, company, host, subject), the same for the same seed."""
    from faker import Factory  # half a second that a run with nothing to do need not wait

    faker = Factory.create("en_US", providers=_PROVIDERS, use_weighting=False)
    faker.seed_instance(seed)
    first_names, last_names, companies, phrases = (
        _distinct(faker.get_formatter(kind))
        for kind in ("first_name", "last_name", "company", "catch_phrase")
    )
    hosts = [re.sub("[^a-z]+", "-", company.lower()).strip("-") for company in companies]
    return list(zip(range(COUNT), first_names, last_names, companies, hosts, phrases, strict=True))


def _distinct(draw: Callable[[], str]) -> list[str]:
    """The first words that differ, in the order in which they were drawn."""
    found: dict[str, None] = {}
    while len(found) < COUNT:
        found.setdefault(draw())
    return list(found)

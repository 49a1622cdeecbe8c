"""Verifying domains, noted in the OLTP, against bare dnspython at the same concurrency."""

import asyncio
import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import dns.asyncresolver
import dns.exception

from oltp_lab import servers, settings
from oltp_lab.measuring import statistics
from oltp_lab.measuring.turns import in_turns
from oltp_lab.neighbours import copies, services
from oltp_lab.neighbours.dns import run as verification
from oltp_lab.neighbours.dns import verify, world
from oltp_lab.sample_data import load as sample_data
from oltp_lab.schema import build

_ROUNDS = 9


def measure_dns_verification() -> list[dict[str, Any]]:
    """Look-ups per second, in turns, on zones without faults: a time-out would hide the rest."""
    current = settings.load()
    original = servers.oltp(current)
    build.ensure(original)
    sample_data.ensure(original, current.scale, seed=1)
    at = datetime.now(UTC)
    with copies.made(original, world.TABLES) as database:
        with database.connect("lab_platform") as session:
            records = session.execute(
                "select host, type, expected from infrastructure.dns_records r"
                " join infrastructure.domains d on d.tenant_id = r.tenant_id and d.id = r.domain_id"
                " where d.status <> 'decommissioned'"
            ).fetchall()
        ours = ("spf.mailer.example", "TXT", "v=spf1 ip4:10.0.0.0/8 -all")
        with world.served(current, [*records, ours]) as server:
            times = iter(at + timedelta(days=3 * n) for n in itertools.count(1))
            rates = in_turns(
                {
                    "bare": lambda: _bare(records, server.port),
                    "full": lambda: _full(database, server, next(times)),
                },
                _ROUNDS,
            )
    ratio = statistics.compare(rates["full"], rates["bare"])
    return [
        {
            "name": "dns_verification, look-ups/s",
            "ours": round(median(rates["full"])),
            "reference": round(median(rates["bare"])),
            "ratio": ratio.ratio,
            "low": ratio.low,
            "high": ratio.high,
            "goal": ">= 0.9",
            "detail": f"{len(records):,} records, {verify.CONCURRENCY} at once",
        }
    ]


def _full(database: servers.Database, server: world.Server, at: datetime) -> float:
    tally = verification.verified(database, server.port, at)
    assert tally.unanswered == 0, tally
    return tally.lookups / tally.seconds


def _bare(records: list[tuple[str, str, str]], port: int) -> float:
    """The same look-ups by dnspython alone, of workers that take one after the other."""

    async def work(shared: Iterator[tuple[str, str, str]]) -> None:
        for host, kind, _ in shared:
            try:
                await resolver.resolve(host, kind, raise_on_no_answer=False, search=False)
            except dns.exception.DNSException as error:
                raise AssertionError(host) from error

    async def everything() -> None:
        shared = iter(records)
        await asyncio.gather(*(work(shared) for _ in range(verify.CONCURRENCY)))

    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [services.HOST], port
    began = time.perf_counter()
    asyncio.run(everything())
    return len(records) / (time.perf_counter() - began)

"""Verifying domains, noted in the OLTP, against bare dnspython at the same concurrency."""

import asyncio
import random
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dns.asyncresolver
import dns.exception

from oltp_lab import servers, settings
from oltp_lab.neighbours import copies, services
from oltp_lab.neighbours.dns import run as verification
from oltp_lab.neighbours.dns import verify, world
from oltp_lab.sample_data import load as sample_data
from oltp_lab.schema import build

_ROUNDS = 5


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
            bare: list[float] = []
            full: list[float] = []
            for turn in range(_ROUNDS + 1):
                at += timedelta(days=3)
                for arm in random.sample((bare, full), 2):
                    is_bare = arm is bare
                    arm.append(
                        _bare(records, server.port) if is_bare else _full(database, server, at)
                    )
                if not turn:  # that warmed both up
                    bare.clear()
                    full.clear()
    return [
        {
            "name": "dns_verification, look-ups/s",
            "ours": round(statistics.median(full)),
            "reference": round(statistics.median(bare)),
            "ratio": statistics.median(f / b for f, b in zip(full, bare, strict=True)),
            "goal": ">= 0.9",
            "detail": f"{len(records):,} records, {verify.CONCURRENCY} at once; "
            + "; ".join(f"{f:.0f} against {b:.0f}" for f, b in zip(full, bare, strict=True)),
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

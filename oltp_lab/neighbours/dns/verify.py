"""The verifier: claims the domains that are due, asks DNS for their records, notes the answers.

Claiming and noting are transactions of their own, batch by batch; while DNS is asked none is open.
"""

import asyncio
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import dns.resolver
import psycopg
from psycopg.types.json import Jsonb

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.neighbours import services
from oltp_lab.neighbours.dns import spf
from oltp_lab.neighbours.dns.spf import UnansweredError

CONCURRENCY = 50
BATCH = 100
"""Domains that are noted in one transaction."""
ADDRESS = "10.0.0.1"
"""One of the platform's, which an SPF record must authorize."""


class Record(NamedTuple):
    """What is to be looked up, as ``claim_dns_checks`` returns it."""

    tenant: uuid.UUID
    domain: uuid.UUID
    kind: str
    type: str
    host: str
    expected: str


@dataclass
class Tally:
    """What a verification did; ``statuses`` are the domains' by what became of them."""

    domains: int = 0
    records: int = 0
    lookups: int = 0
    unanswered: int = 0
    batches: int = 0
    seconds: float = 0.0
    recording_s: float = 0.0
    longest_transaction_s: float = 0.0
    statuses: dict[str, int] = field(default_factory=dict)


def resolver(port: int, *, timeout: float = 0.3, lifetime: float = 0.9) -> "Resolver":
    """One that asks the server on this port of the loopback interface and no other."""
    made = dns.asyncresolver.Resolver(configure=False)
    made.nameservers, made.port = [services.HOST], port
    made.timeout, made.lifetime = timeout, lifetime
    return Resolver(made)


class Resolver:
    """Look-ups as lists of strings, counted."""

    def __init__(self, resolver: dns.asyncresolver.Resolver) -> None:
        self.resolver = resolver
        self.lookups = self.unanswered = self.in_a_row = 0
        self._shared: dict[tuple[str, str], asyncio.Future[list[str]]] = {}

    async def ask(self, name: str, kind: str) -> list[str]:
        """The values; none where there is no such name or record. Raises UnansweredError."""
        self.lookups += 1
        try:
            answer = await self.resolver.resolve(name, kind, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            self.in_a_row = 0
            return []
        except (dns.exception.DNSException, OSError) as error:
            self.unanswered += 1
            self.in_a_row += isinstance(error, dns.resolver.LifetimeTimeout)
            raise UnansweredError(_told(error)) from None
        self.in_a_row = 0
        if answer.rrset is None:
            return []
        if answer.rdtype == dns.rdatatype.TXT:
            return [b"".join(data.strings).decode("latin-1") for data in answer.rrset]
        return [data.to_text() for data in answer.rrset]

    async def ask_shared(self, name: str, kind: str) -> list[str]:
        """The same, from what was answered to others during this verification."""
        key = name.lower(), kind
        if key not in self._shared:
            self._shared[key] = asyncio.ensure_future(self.ask(name, kind))
        return await asyncio.shield(self._shared[key])


def _told(error: BaseException) -> str:
    """The reason in a word or two, the same for the same reason."""
    if isinstance(error, dns.resolver.NoNameservers):
        text = str(error.kwargs["errors"][-1][3]) if error.kwargs.get("errors") else "no answer"
        return text[:100]
    return "timeout" if isinstance(error, dns.resolver.LifetimeTimeout) else type(error).__name__


async def look_up(record: Record, asked: Resolver) -> dict[str, Any]:
    """The answer of one record as ``record_dns_answers`` takes it."""
    answer: dict[str, Any] = {
        "tenant": str(record.tenant), "domain": str(record.domain), "kind": record.kind
    }  # fmt: skip
    try:
        answer["values"] = values = await asked.ask(record.host, record.type)
        if record.kind == "spf":
            answer |= await _evaluated(record, values, asked)
    except UnansweredError as error:
        answer |= {"values": [], "error": str(error)}
    return answer


async def _evaluated(record: Record, values: Sequence[str], asked: Resolver) -> dict[str, Any]:
    """Does the one SPF record authorize us by our own, so that it goes with what we change?"""
    records = [value for value in values if spf.is_spf(value)]
    if len(records) != 1:
        return {}
    found = await spf.evaluate(records[0], record.host, ADDRESS, asked.ask_shared)
    ours = record.expected.partition("include:")[2].split()[0]
    authorized = found.result == "pass" and ours in found.through
    problem = None if authorized else found.problem or f"{found.result} for our addresses"
    return {"lookups": found.lookups, "authorized": authorized, "problem": problem}


async def verify(
    claims: psycopg.Connection,
    notes: psycopg.Connection,
    asked: Resolver,
    at: datetime,
    *,
    batch: int = 2_000,
    concurrency: int = CONCURRENCY,
) -> Tally:
    """Look up whatever is due at that time. The two sessions are lab_platform's, in autocommit.

    Raises LabError when the server does not answer at all; what it was asked is noted first, so
    that it is tried again later, and nobody's status has changed.
    """
    began, tally = time.perf_counter(), Tally()
    queries = sql.queries("neighbours/dns/verify.sql")
    due = True
    while due:
        rows = await asyncio.to_thread(_fetch, claims, queries["claim"], {"batch": batch, "at": at})
        due = [Record(*row) for row in rows]
        if due:
            await _verified(due, notes, asked, at, concurrency, tally)
        if _is_silent(asked, concurrency):
            break
    tally.lookups, tally.unanswered = asked.lookups, asked.unanswered
    tally.seconds = time.perf_counter() - began
    if _is_silent(asked, concurrency):
        raise LabError(
            f"the DNS server at port {asked.resolver.port} answers nothing: {asked.in_a_row} "
            "look-ups in a row timed out; the domains keep their status and are tried again later"
        )
    return tally


def _is_silent(asked: Resolver, concurrency: int) -> bool:
    """As many look-ups in a row as run at once, twice."""
    return asked.in_a_row >= 2 * concurrency


async def _verified(
    due: Sequence[Record],
    notes: psycopg.Connection,
    asked: Resolver,
    at: datetime,
    concurrency: int,
    tally: Tally,
) -> None:
    """Some domains: workers share the look-ups, and what is complete is noted meanwhile."""
    left: dict[uuid.UUID, int] = {}
    for record in due:
        left[record.domain] = left.get(record.domain, 0) + 1
    found: dict[uuid.UUID, list[dict[str, Any]]] = {domain: [] for domain in left}
    complete: asyncio.Queue[list[dict[str, Any]] | None] = asyncio.Queue()

    async def work(records: Iterator[Record]) -> None:
        for record in records:
            found[record.domain].append(await look_up(record, asked))
            if len(found[record.domain]) == left[record.domain]:
                complete.put_nowait(found.pop(record.domain))
            if _is_silent(asked, concurrency):
                return

    async def note() -> None:
        batch: list[dict[str, Any]] = []
        domains, more = 0, True
        while more:
            answers = await complete.get()
            if more := answers is not None:
                batch += answers
                domains += 1
            if batch and (domains == BATCH or not more):
                await asyncio.to_thread(_record, notes, batch, at, tally)
                batch, domains = [], 0

    shared = iter(due)
    async with asyncio.TaskGroup() as group:
        group.create_task(note())
        async with asyncio.TaskGroup() as workers:
            for _ in range(concurrency):
                workers.create_task(work(shared))
        for answers in found.values():  # a server that fell silent
            if answers:
                complete.put_nowait(answers)
        complete.put_nowait(None)


def _record(
    notes: psycopg.Connection, answers: list[dict[str, Any]], at: datetime, tally: Tally
) -> None:
    began = time.perf_counter()
    record = sql.queries("neighbours/dns/verify.sql")["record"]
    rows: Iterable[tuple] = _fetch(notes, record, {"answers": Jsonb(answers), "at": at})
    seconds = time.perf_counter() - began
    tally.recording_s += seconds
    tally.longest_transaction_s = max(tally.longest_transaction_s, seconds)
    tally.batches += 1
    tally.records += len(answers)
    for _, _, status, refusal in rows:
        tally.domains += 1
        told = refusal or status
        tally.statuses[told] = tally.statuses.get(told, 0) + 1


def _fetch(connection: psycopg.Connection, query: Any, values: dict[str, Any]) -> list[tuple]:
    return connection.execute(query, values).fetchall()

"""The verifier: claims the domains that are due, asks DNS for their records, notes the answers.

Claiming and noting are transactions of their own, batch by batch; while DNS is asked none is open.
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import psycopg
from psycopg.types.json import Jsonb
from publicsuffixlist import PublicSuffixList

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.neighbours.dns import spf
from oltp_lab.neighbours.dns.resolver import Resolver
from oltp_lab.neighbours.dns.spf import UnansweredError

CONCURRENCY = 50
BATCH = 100
"""Domains that are claimed, and that are noted, in one transaction."""
ADDRESS = "10.0.0.1"
"""One of the platform's, which an SPF record must authorize."""


Answers = list[dict[str, Any]]
"""As ``record_dns_answers`` takes them, of one domain or more."""


class Record(NamedTuple):
    """What is to be looked up, as ``claim_dns_checks`` returns it."""

    tenant: str
    domain: str
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


async def look_up(record: Record, asked: Resolver) -> dict[str, Any]:
    """The answer of one record as ``record_dns_answers`` takes it."""
    answer: dict[str, Any] = {
        "tenant": record.tenant, "domain": record.domain, "kind": record.kind
    }  # fmt: skip
    try:
        answer["values"] = values = await asked.ask(record.host, record.type)
        if record.kind == "spf":
            answer |= await _evaluated(record, values, asked)
        elif record.kind == "dmarc" and not any(map(_is_dmarc, values)):
            answer["values"] = await _of_organization(record, asked) or values
    except UnansweredError as error:
        answer |= {"values": [], "error": str(error)}
    return answer


def _is_dmarc(text: str) -> bool:
    return re.match(r"\s*[vV]\s*=\s*DMARC1\s*(;|$)", text) is not None


async def _of_organization(record: Record, asked: Resolver) -> list[str]:
    """The DMARC records of the organizational domain, where that is another (RFC 7489, 6.6.3)."""
    domain = record.host.removeprefix("_dmarc.")
    organization = _suffixes().privatesuffix(domain) or domain
    if organization == domain:
        return []
    return [v for v in await asked.ask_shared(f"_dmarc.{organization}", "TXT") if _is_dmarc(v)]


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


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
    concurrency: int = CONCURRENCY,
) -> Tally:
    """Look up whatever is due at that time. The two sessions are lab_platform's, in autocommit.

    Raises LabError when the server does not answer at all; what it was asked is noted first, so
    that it is tried again later, and nobody's status has changed.
    """
    began, tally = time.perf_counter(), Tally()
    due, complete = _Due(claims, at), asyncio.Queue()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_note(complete, notes, at, tally))
            async with asyncio.TaskGroup() as workers:
                for _ in range(concurrency):
                    workers.create_task(_work(due, asked, complete, 2 * concurrency))
            for answers in due.incomplete():  # of a server that fell silent
                complete.put_nowait(answers)
            complete.put_nowait(None)
    finally:
        await asked.close()
    tally.lookups, tally.unanswered = asked.lookups, asked.unanswered
    tally.seconds = time.perf_counter() - began
    if asked.in_a_row >= 2 * concurrency:
        raise LabError(
            f"the DNS server at port {asked.port} answers nothing: {asked.in_a_row} "
            "look-ups in a row timed out; the domains keep their status and are tried again later"
        )
    return tally


class _Due:
    """Records of claimed domains; the next are claimed while these are looked up."""

    def __init__(self, claims: psycopg.Connection, at: datetime) -> None:
        self._claims, self._values = claims, {"batch": BATCH, "at": at}
        self._ready: deque[Record] = deque()
        self._left: dict[str, int] = {}
        self._answers: dict[str, Answers] = {}
        self._one = asyncio.Lock()
        self._next = asyncio.ensure_future(self._claim())

    async def take(self) -> Record | None:
        """The next one; None when nothing is due any more."""
        if not self._ready:
            async with self._one:
                if not self._ready:
                    self._fill(await self._next)
        return self._ready.popleft() if self._ready else None

    def _fill(self, claimed: list[tuple]) -> None:
        for row in claimed:
            record = Record(*row)
            self._ready.append(record)
            self._left[record.domain] = self._left.get(record.domain, 0) + 1
        if claimed:
            self._next = asyncio.ensure_future(self._claim())

    def answered(self, record: Record, answer: dict[str, Any]) -> Answers | None:
        """All answers of the record's domain, once they are complete."""
        answers = self._answers.setdefault(record.domain, [])
        answers.append(answer)
        if len(answers) < self._left[record.domain]:
            return None
        del self._left[record.domain]
        return self._answers.pop(record.domain)

    def incomplete(self) -> Iterable[Answers]:
        """Of domains whose other records nobody looked up."""
        return self._answers.values()

    async def _claim(self) -> list[tuple]:
        claim = sql.queries("neighbours/dns/verify.sql")["claim"]
        return await asyncio.to_thread(_fetch, self._claims, claim, self._values)


async def _work(due: _Due, asked: Resolver, complete: asyncio.Queue, most_silent: int) -> None:
    """Look one up after the other, until there are no more or as many in a row timed out."""
    while asked.in_a_row < most_silent and (record := await due.take()):
        if answers := due.answered(record, await look_up(record, asked)):
            complete.put_nowait(answers)


async def _note(
    complete: asyncio.Queue, notes: psycopg.Connection, at: datetime, tally: Tally
) -> None:
    """Note answers, many domains at once; None ends them."""
    batch: Answers = []
    domains, more = 0, True
    while more:
        answers = await complete.get()
        if more := answers is not None:
            batch += answers
            domains += 1
        if batch and (domains == BATCH or not more):
            await asyncio.to_thread(_record, notes, batch, at, tally)
            batch, domains = [], 0


def _record(notes: psycopg.Connection, answers: Answers, at: datetime, tally: Tally) -> None:
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

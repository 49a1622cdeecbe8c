"""Webhooks on their way: signed, each told again until it is taken; with faults as asked for."""

import asyncio
import hashlib
import hmac
import json
import random
import re
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from oltp_lab.neighbours.payments.provider.store import Object

DELIVERERS = 8
_BACKOFF_S = 0.05


@dataclass(frozen=True)
class Faults:
    """Shares of 1: answers that come too late though the work is done, events that are delivered
    twice, at first not at all, or late by up to ``latest_s``; ``late_answer_s`` is how late."""

    late_answers: float = 0.0
    late_answer_s: float = 1.0
    duplicates: float = 0.0
    lost: float = 0.0
    late: float = 0.0
    latest_s: float = 0.2


@dataclass
class Deliveries:
    """Events on their way to the endpoint, each until it is taken; in any order."""

    secret: str
    faults: Faults
    choice: random.Random
    endpoint: str | None = None
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("events", "sent", "taken", "duplicates", "refused"), 0
        )
    )
    pending: int = 0
    _queue: asyncio.PriorityQueue[tuple[float, int, int, str]] = field(
        default_factory=asyncio.PriorityQueue
    )
    _number: int = 0

    def tell(self, event: Object) -> None:
        """Put an event on its way."""
        if not self.endpoint:
            return
        faults, body = self.faults, json.dumps(event)
        self.counts["events"] += 1
        times = 1 + (self.choice.random() < faults.duplicates)
        self.counts["duplicates"] += times - 1
        for _ in range(times):
            late = self.choice.random() < faults.late
            wait = self.choice.random() * faults.latest_s if late else 0.0
            first = 1 if self.choice.random() < faults.lost else 0
            self._put(time.monotonic() + wait, first, body)

    def _put(self, due: float, attempt: int, body: str) -> None:
        self._number, self.pending = self._number + 1, self.pending + 1
        self._queue.put_nowait((due, self._number, attempt, body))

    async def work(self) -> None:
        """Deliver, for ever."""
        link: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while True:
            due, _, attempt, body = await self._queue.get()
            await asyncio.sleep(max(due - time.monotonic(), 0))
            status = 0
            if attempt != 1:  # which was lost on its way
                self.counts["sent"] += 1
                try:
                    link = link or await self._connect()
                    status = await self._post(*link, body)
                except (OSError, asyncio.IncompleteReadError, ValueError):
                    link = None
            self.pending -= 1
            if 200 <= status < 300:
                self.counts["taken"] += 1
            else:
                self.counts["refused"] += status > 0
                backoff = _BACKOFF_S * 2 ** min(attempt, 6)
                self._put(time.monotonic() + backoff, attempt + 2, body)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        place = urlsplit(self.endpoint or "")
        return await asyncio.open_connection(str(place.hostname), place.port or 80)

    async def _post(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: str
    ) -> int:
        place, sent = urlsplit(self.endpoint or ""), body.encode()
        head = (
            f"POST {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n"
            f"Stripe-Signature: {signature(body, self.secret)}\r\n\r\n"
        )
        writer.write(head.encode() + sent)
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        length = re.search(rb"content-length: (\d+)", answer, re.IGNORECASE)
        await reader.readexactly(int(length[1]) if length else 0)
        return int(answer.split()[1])


def signature(body: str, secret: str, at: int | None = None) -> str:
    """The header ``Stripe-Signature`` of scheme v1."""
    at = int(time.time()) if at is None else at
    signed = hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256)
    return f"t={at},v1={signed.hexdigest()}"

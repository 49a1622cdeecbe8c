"""Webhooks come in: each is verified, kept in the OLTP's inbox, and only then acknowledged.

Run by ``services.running``; the database (``PG*``) and the secret come by the environment. Events
that wait at the same time are kept by one transaction.
"""

import asyncio
import threading
from dataclasses import dataclass, field
from queue import SimpleQueue

import psycopg
import stripe
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oltp_lab import settings, sql
from oltp_lab.neighbours.payments.serving import serve

PATH = "/webhooks/stripe"
TOLERANCE = 300
"""Seconds that a signature is valid."""
_MOST = 200
_Waiting = tuple[str, asyncio.Future[bool]]


@dataclass
class Inbox:
    """Writes events, from a thread of its own."""

    conninfo: str = ""
    waiting: SimpleQueue[_Waiting] = field(default_factory=SimpleQueue)

    def start(self) -> "Inbox":
        threading.Thread(target=self._write, daemon=True).start()
        return self

    async def keep(self, payload: str) -> bool:
        """Whether it is in the inbox, for certain."""
        kept: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.waiting.put((payload, kept))
        return await kept

    def _write(self) -> None:
        connection = None
        while True:
            batch = [self.waiting.get()]
            while len(batch) < _MOST and not self.waiting.empty():
                batch.append(self.waiting.get())
            try:
                connection = connection or psycopg.connect(self.conninfo, autocommit=True)
                store(connection, [payload for payload, _ in batch])
                done = True
            except psycopg.Error:
                connection, done = None, False
            loop = batch[0][1].get_loop()
            loop.call_soon_threadsafe(_tell, [kept for _, kept in batch], done)


def _tell(waiting: list[asyncio.Future[bool]], done: bool) -> None:
    for kept in waiting:
        if not kept.done():
            kept.set_result(done)


def verified(payload: bytes, header: str, secret: str) -> str:
    """The event, as it was signed. Raises stripe.SignatureVerificationError or ValueError."""
    stripe.Webhook.construct_event(payload, header, secret, TOLERANCE)
    return payload.decode()


def store(connection: psycopg.Connection, payloads: list[str]) -> None:
    """Keep verified events; those that are there already stay as they are."""
    connection.execute(sql.queries("neighbours/payments/queries.sql")["receive"], [payloads])


def application(secret: str, inbox: Inbox) -> Starlette:
    """204: kept; 400: not signed as it must be; 503: the provider is to try again."""

    async def receive(request: Request) -> Response:
        payload, header = await request.body(), request.headers.get("stripe-signature", "")
        try:
            event = verified(payload, header, secret)
        except (stripe.SignatureVerificationError, ValueError):
            return Response(status_code=400)
        return Response(status_code=204 if await inbox.keep(event) else 503)

    return Starlette(routes=[Route(PATH, receive, methods=["POST"])])


def main() -> None:
    """Receive until the starter is gone."""
    serve(application(settings.load().stripe_webhook_secret or "", Inbox().start()))


if __name__ == "__main__":
    main()

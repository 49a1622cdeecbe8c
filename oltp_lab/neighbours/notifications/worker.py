"""The worker: PgQueuer's jobs, which deliver what users are told by mail.

A job is the mails of a tenant that are due together. It is done at least once: what has arrived is
not sent again, and a mail keeps its Message-ID.
``python -m oltp_lab.neighbours.notifications.worker`` runs it.
"""

import asyncio
import json
import logging
import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import click
import psycopg
from pgqueuer import PgQueuer
from pgqueuer.adapters.drivers.psycopg import PsycopgDriver
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.models import Job
from psycopg.types.json import Jsonb

from oltp_lab import servers, settings, sql
from oltp_lab.neighbours import services
from oltp_lab.neighbours.notifications import kill
from oltp_lab.neighbours.notifications.batches import Batches
from oltp_lab.neighbours.notifications.kill import Point
from oltp_lab.neighbours.notifications.post import Mail, Post, Refusal
from oltp_lab.servers import Database

log = logging.getLogger(__name__)

SCHEMA = "queue"
POSTMEN = 3
"""Connections to the mail server, each with a session of its own."""
MOST_JOBS = 20
"""Jobs that are handled together, when as many wait."""
_SENDABLE = {"pending", "failed"}
_AGAIN = timedelta(seconds=1)
_JITTER = 0.25
"""So much longer, at most, than the back-off: or all that failed together would come together."""

_QUERIES = sql.queries("neighbours/notifications/worker.sql")


@dataclass(frozen=True)
class Terms:
    """Back-off is times ``pace``."""

    pace: float = 1.0
    heartbeat: timedelta = timedelta(seconds=30)
    """After which another worker takes the jobs of one that died."""


class DeadLetterError(Exception):
    """A mail that was given up. PgQueuer holds its job until somebody requeues it."""


class BrokenError(Exception):
    """The OLTP's session is gone: all begins again with new ones."""


Letters = dict[str, Any]
"""A job's payload: tenant_id, notifications."""


@dataclass(frozen=True)
class Fate:
    """What became of a mail: a notification's status, and seconds to the next attempt."""

    status: str
    again_s: float | None = None


class Postman:
    """Delivers mails over a connection and a session of its own."""

    def __init__(self, oltp: psycopg.AsyncConnection, post: Post, point: Point) -> None:
        self._oltp, self.post, self._point = oltp, post, point

    async def deliver(self, jobs: Sequence[Letters]) -> Sequence[list[Fate]]:
        """Mails of a batch: composed, sent, and written down, each in a transaction of its own.

        Returns what became of each job's.
        """
        wanted = [
            {"tenant_id": job["tenant_id"], "id": id_}
            for job in jobs
            for id_ in job["notifications"]
        ]
        with _breaking():
            cursor = await self._oltp.execute(_QUERIES["compose"], [Jsonb(wanted)])
            found = await cursor.fetchall()
        self._point("composed")
        # What was delivered or given up before, or is gone with its member, is not sent.
        fates = {id_: Fate(status) for id_, _, status, *_ in found}
        mails = [
            Mail(i, tenant, *rest) for i, tenant, status, *rest in found if status in _SENDABLE
        ]
        if mails:
            self._point("sending")
            outcomes = await asyncio.to_thread(self.post.send, mails)
            self._point("sent")
            with _breaking():
                fates |= await self._mark([_result(mail, outcomes[mail.id]) for mail in mails])
        return [[fates[i] for i in job["notifications"] if i in fates] for job in jobs]

    async def _mark(self, results: Sequence[dict[str, Any]]) -> dict[str, Fate]:
        async with self._oltp.transaction():
            await self._oltp.execute(_QUERIES["mark"], [Jsonb(results)])
            cursor = await self._oltp.execute(_QUERIES["marked"], [Jsonb(results)])
            marked = {id_: Fate(status, again) for id_, status, again in await cursor.fetchall()}
            self._point("marked")
        self._point("marks committed")
        return marked


def _result(mail: Mail, refusal: Refusal | None) -> dict[str, Any]:
    told = {"reason": refusal.reason, "for_good": refusal.for_good} if refusal else {}
    return {"tenant_id": mail.tenant_id, "id": mail.id, **told}


@contextmanager
def _breaking() -> Iterator[None]:
    """What ends a session is told apart from what one event is to blame for."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise BrokenError(str(error)) from error


class Listening(PsycopgDriver):
    """PgQueuer's driver, with a session of its own that listens.

    In one session each statement waits until a notification comes, or for a second.
    """

    def __init__(self, session: psycopg.AsyncConnection, ear: psycopg.AsyncConnection) -> None:
        super().__init__(session)
        self._ear = PsycopgDriver(ear)

    async def add_listener(self, channel: str, callback: Callable[..., None]) -> None:
        await self._ear.add_listener(channel, callback)

    async def remove_listener(self, channel: str, callback: Callable[..., None]) -> None:
        await self._ear.remove_listener(channel, callback)

    async def __aexit__(self, *raised: object) -> None:
        await self._ear.__aexit__(*raised)
        await super().__aexit__(*raised)


async def run(
    oltp: Database, queue: Database, port: int, terms: Terms, ended: asyncio.Event, point: Point
) -> None:
    """Work until ``ended``; a server that cannot be reached is tried again and again."""
    while not ended.is_set():
        try:
            await _session(oltp, queue, port, terms, ended, point)
        except Exception as error:  # noqa: BLE001 - what was not done is still in the queue
            log.warning("work begins anew after %s: %s", type(error).__name__, error)
        if not ended.is_set():
            await asyncio.sleep(0.5 + random.random() / 2)


async def _session(
    oltp: Database, queue: Database, port: int, terms: Terms, ended: asyncio.Event, point: Point
) -> None:
    """Work until ``ended``, or a session breaks."""
    async with AsyncExitStack() as stack:

        async def connect(database: Database) -> psycopg.AsyncConnection:
            session = await psycopg.AsyncConnection.connect(
                database.conninfo("lab_platform"), autocommit=True, connect_timeout=5
            )
            await stack.enter_async_context(session)
            await session.execute(_QUERIES["limits"])
            return session

        jobs = PgQueuer(Listening(await connect(queue), await connect(queue)))
        letters: Batches[Letters, list[Fate]] = Batches(MOST_JOBS, (BrokenError,))
        _register(jobs, letters, terms)
        work = [_end(jobs, ended)]
        for _ in range(POSTMEN):
            postman = Postman(await connect(oltp), Post(port), point)
            stack.callback(postman.post.close)
            work.append(letters.work(postman.deliver))
        for coroutine in work:
            stack.callback(asyncio.create_task(coroutine).cancel)
        await jobs.qm.run(
            batch_size=POSTMEN * MOST_JOBS,
            max_concurrent_tasks=2 * POSTMEN * MOST_JOBS,
            dequeue_timeout=timedelta(seconds=1),
            heartbeat_timeout=terms.heartbeat,
        )


async def _end(jobs: PgQueuer, ended: asyncio.Event) -> None:
    await ended.wait()
    jobs.shutdown.set()


def _register(jobs: PgQueuer, letters: Batches[Letters, list[Fate]], terms: Terms) -> None:
    """What PgQueuer calls for each job; one that raises is held, unless it asks for another try."""

    @jobs.entrypoint("deliver", on_failure="hold")
    async def deliver(job: Job) -> None:
        try:
            fates = await letters.put(json.loads(job.payload or b"{}"))
        except BrokenError as error:
            jobs.shutdown.set()
            raise RetryRequested(_AGAIN, str(error)) from error
        if again := [fate.again_s or 0.0 for fate in fates if fate.status in _SENDABLE]:
            delay = max(*again, 0.0) * terms.pace * (1 + _JITTER * random.random())
            raise RetryRequested(timedelta(seconds=delay), "refused for now")
        if any(fate.status == "dead" for fate in fates):
            raise DeadLetterError("given up; see the notifications' last_error")


async def _serve(oltp: Database, queue: Database, port: int, terms: Terms, point: Point) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    services.when_abandoned(lambda: loop.call_soon_threadsafe(ended.set))
    services.announce(port)
    await run(oltp, queue, port, terms, ended, point)


@click.command()
@click.option("--oltp", required=True, help="Name of the database on the OLTP server.")
@click.option("--queue", required=True, help="Name of the database on the neighbours' server.")
@click.option("--port", required=True, type=int, help="Of the mail server.")
@click.option("--pace", default=1.0, help="How long back-off is, as a share.")
@click.option("--heartbeat", "heartbeat_s", default=30.0, help="Seconds.")
@click.option("--die-at", type=click.Choice(kill.WORKER))
@click.option("--visit", default=1)
def main(
    oltp: str, queue: str, port: int, pace: float, heartbeat_s: float,
    die_at: str | None, visit: int,
) -> None:  # fmt: skip
    """Run until standard input ends."""
    os.environ["PGQUEUER_SCHEMA"] = SCHEMA  # PgQueuer has no other way to be told
    logging.getLogger("pgqueuer").setLevel(logging.CRITICAL)  # dead letters are no news
    current = settings.load()
    terms = Terms(pace, timedelta(seconds=heartbeat_s))
    asyncio.run(
        _serve(
            servers.oltp(current).sibling(oltp),
            servers.neighbours(current, "queue").sibling(queue),
            port,
            terms,
            kill.at(die_at, visit),
        )
    )


if __name__ == "__main__":
    main()

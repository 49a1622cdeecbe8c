"""A stand-in for pgbench whose sessions share a ``psycopg_pool``, as those of an application do.

Each of a thousand asyncio tasks waits until its next transaction is due (Poisson arrivals, so that
all of them offer a fixed rate), takes a connection of the pool, and runs a script. It keeps to what
pgbench does: SIGALRM ends it, stderr tells of progress and aborts, and a line a transaction goes to
``LOG.PID``, latency counted from when it was due. A line ends with the wait for the connection
(us) and the ``tenant`` that the script has drawn, if any; ``LOG_pool`` has samples of the pool.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import errors
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from oltp_lab.measuring.scripts import Script

CHECKOUT_LIMIT = 30.0
"""Seconds that a session waits for a connection."""
SAMPLED_EVERY = 0.25
_CLASSES = {errors.SerializationFailure: "serialization", errors.DeadlockDetected: "deadlock"}


@dataclass(frozen=True)
class Job:
    """``scripts`` are (path, weight); ``rate`` is transactions/s of all sessions."""

    scripts: Sequence[tuple[str, int]]
    variables: dict[str, Any]
    sessions: int
    pool: int
    rate: float
    seconds: float
    max_tries: int
    log: str

    def command(self) -> list[str]:
        """The command line that does it."""
        return [sys.executable, "-m", __name__, json.dumps(asdict(self))]


class Client:
    """The sessions, the pool between them, and their log."""

    def __init__(self, job: Job, pool: AsyncConnectionPool[Any], log: IO[str]) -> None:
        self.job, self.pool, self.log = job, pool, log
        self.scripts = [Script.read(Path(path), job.variables) for path, _ in job.scripts]
        self.weights = [weight for _, weight in job.scripts]
        self.done = 0
        self.longest = 0.0

    async def session(self, number: int) -> None:
        """Run transactions as they become due."""
        # From 2 on: readers of logs leave a first one out, as it had to connect.
        thinks, transaction = self.job.rate / self.job.sessions, 1
        due = time.time()
        while True:
            due += random.expovariate(thinks)
            await asyncio.sleep(max(0.0, due - time.time()))
            transaction += 1
            chosen = random.choices(range(len(self.scripts)), self.weights)[0]
            await self.transaction(number, transaction, chosen, due)

    async def transaction(self, number: int, count: int, chosen: int, due: float) -> None:
        """One, and its line in the log."""
        script, began, retries = self.scripts[chosen], time.time(), 0
        values, checkout, outcome = script.drawn(), 0.0, None
        while outcome is None:
            asked = time.time()
            try:
                async with self.pool.connection() as connection:
                    checkout += time.time() - asked
                    async with connection.pipeline():
                        for statement in script.statements:
                            await connection.execute(statement, values)
                outcome = f"{1e6 * (time.time() - due):.0f}"
            except (errors.SerializationFailure, errors.DeadlockDetected) as error:
                retries += 1
                if retries >= self.job.max_tries:
                    outcome = _CLASSES[type(error)]
            except PoolTimeout:
                outcome = "checkout"
            except psycopg.Error as error:
                reason = f"ERROR:  {str(error).splitlines()[0]}"
                raise AbortedError(f"client {number} script {chosen} aborted: {reason}") from None
        self.done += 1
        self.longest = max(self.longest, checkout)
        ended, lag = time.time(), 1e6 * (began - due)
        self.log.write(
            f"{number} {count} {outcome} {chosen} {int(ended)} {int(ended % 1 * 1e6)} "
            f"{max(lag, 0):.0f} {retries} {1e6 * checkout:.0f} {values.get('tenant', '')}\n"
        )

    async def progress(self) -> None:
        """Say once a second how it goes."""
        began = time.time()
        while True:
            before = self.done
            await asyncio.sleep(1)
            rate = self.done - before
            print(f"progress: {time.time() - began:.1f} s, {rate:.1f} tps", file=sys.stderr)

    async def samples(self, file: IO[str]) -> None:
        """Write down what the pool is like."""
        self.pool.pop_stats()
        while True:
            await asyncio.sleep(SAMPLED_EVERY)
            stats = self.pool.get_stats()
            risen = self.pool.pop_stats()
            asked = risen.get("requests_num", 0)
            sample = {
                "at": time.time(),
                "waiting": stats.get("requests_waiting", 0),
                "in_use": stats.get("pool_size", 0) - stats.get("pool_available", 0),
                "idle": stats.get("pool_available", 0),
                "transactions": asked,
                "wait_ms": risen.get("requests_wait_ms", 0) / asked if asked else None,
                "longest_wait_ms": 1000 * self.longest,
            }
            self.longest = 0.0
            file.write(json.dumps(sample) + "\n")


class AbortedError(Exception):
    """A session that cannot go on; all others end with it."""


async def run(job: Job) -> None:
    """Run until SIGALRM. Raises AbortedError, and psycopg.Error when there are no connections."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGALRM, stop.set)
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        min_size=job.pool,
        max_size=job.pool,
        timeout=CHECKOUT_LIMIT,
        # As pgbench's extended protocol: nothing stays prepared.
        kwargs={"autocommit": True, "prepare_threshold": None},
        open=False,
    )
    with (
        Path(f"{job.log}.{os.getpid()}").open("w", encoding="utf-8") as log,
        Path(f"{job.log}_pool").open("w", encoding="utf-8") as sampled,
    ):
        async with pool:
            await pool.wait(CHECKOUT_LIMIT)
            await _work(job, Client(job, pool, log), sampled, stop)


async def _work(job: Job, client: Client, sampled: IO[str], stop: asyncio.Event) -> None:
    """Let all sessions work until one breaks, or it is time to stop."""
    working = [client.session(number) for number in range(job.sessions)]
    tasks = [
        asyncio.create_task(work)
        for work in (*working, client.progress(), client.samples(sampled), stop.wait())
    ]
    try:
        ended, _ = await asyncio.wait(
            tasks, timeout=job.seconds, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        left = set(tasks)
        while left:  # before Python 3.12 asyncio.wait_for may lose a cancellation: ask again
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=1)
    for task in ended:
        task.result()


def main() -> None:
    """Exit with 2 after an abort, as pgbench does."""
    try:
        asyncio.run(run(Job(**json.loads(sys.argv[1]))))
    except AbortedError as aborted:
        print(f"pgbench: error: {aborted}", file=sys.stderr)
        sys.exit(2)
    except (psycopg.Error, PoolTimeout) as error:
        print(f"pgbench: error: {str(error).splitlines()[0]}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()

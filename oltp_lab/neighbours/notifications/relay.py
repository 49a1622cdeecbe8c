"""The relay: takes events from the outbox and hands them to the queue, each at least once.

The queue commits first, so that a crash between the two commits hands events over again, which
the queue then knows. ``python -m oltp_lab.neighbours.notifications.relay`` runs it as a service.
"""

import threading
import time
from dataclasses import dataclass

import click
import psycopg

from oltp_lab import servers, settings, sql
from oltp_lab.errors import LabError
from oltp_lab.neighbours import services
from oltp_lab.neighbours.notifications import kill
from oltp_lab.neighbours.notifications.kill import Point
from oltp_lab.servers import Database

BATCH = 2000
POLL_S = (0.01, 0.05)
"""Seconds between two looks at an empty outbox: at first, and at most."""
LONGEST_PAUSE_S = 5.0
"""Seconds between two attempts, at most, while a server cannot be reached."""

_QUERIES = sql.queries("neighbours/notifications/relay.sql")


@dataclass(frozen=True)
class Places:
    """Where events come from and go to."""

    outbox: Database
    queue: Database


def drain(places: Places, *, batch: int = BATCH, point: Point = kill.nothing) -> int:
    """Hand over what there is; returns how many events were taken."""
    total = 0
    with (
        places.queue.connect("lab_platform") as queue,
        places.outbox.connect("lab_platform") as outbox,
    ):
        _limit(queue, outbox)
        while taken := hand_over(outbox, queue, batch, point):
            total += taken
    return total


def hand_over(
    outbox: psycopg.Connection, queue: psycopg.Connection, batch: int, point: Point = kill.nothing
) -> int:
    """Hand over one batch, a transaction of each session; returns how many events were taken."""
    taken, *events = outbox.execute(_QUERIES["take"], {"batch": batch}).fetchone() or (0,)
    point("taken")
    if taken:
        queue.execute(_QUERIES["hand_over"], events)
        point("handed over")
        queue.commit()
        point("queue committed")
    outbox.commit()
    point("outbox committed")
    return taken


def run(
    places: Places, ended: threading.Event, *, batch: int = BATCH, point: Point = kill.nothing
) -> None:
    """Hand over until ``ended``; a server that cannot be reached is tried again and again."""
    pause = 0.1
    while not ended.is_set():
        try:
            # The queue first: while it is down nothing of the OLTP is locked.
            with (
                places.queue.connect("lab_platform") as queue,
                places.outbox.connect("lab_platform") as outbox,
            ):
                _limit(queue, outbox)
                pause = 0.1
                while not ended.is_set():
                    if hand_over(outbox, queue, batch, point) < batch:
                        _wait(outbox, ended)
        except (psycopg.Error, LabError):
            ended.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)


def _limit(queue: psycopg.Connection, outbox: psycopg.Connection) -> None:
    queue.execute(_QUERIES["limits_of_queue"])
    queue.commit()
    outbox.execute(_QUERIES["limits_of_outbox"])
    outbox.commit()


def _wait(outbox: psycopg.Connection, ended: threading.Event) -> None:
    """Until something was written."""
    pause, longest = POLL_S
    outbox.autocommit = True
    while not ended.wait(pause):
        (waiting,) = outbox.execute(_QUERIES["waiting"]).fetchone() or (False,)
        if waiting:
            break
        pause = min(1.2 * pause, longest)
    outbox.autocommit = False


@click.command()
@click.option("--outbox", required=True, help="Name of the database on the OLTP server.")
@click.option("--queue", required=True, help="Name of the database on the neighbours' server.")
@click.option("--batch", default=BATCH)
@click.option("--die-at", type=click.Choice(kill.RELAY))
@click.option("--visit", default=1)
def main(outbox: str, queue: str, batch: int, die_at: str | None, visit: int) -> None:
    """Run until standard input ends."""
    current, ended = settings.load(), threading.Event()
    places = Places(
        servers.oltp(current).sibling(outbox), servers.neighbours(current, "queue").sibling(queue)
    )
    services.when_abandoned(ended.set)
    services.announce(0, at=time.time())
    run(places, ended, batch=batch, point=kill.at(die_at, visit))


if __name__ == "__main__":
    main()

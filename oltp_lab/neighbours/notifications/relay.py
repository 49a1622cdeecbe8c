"""The relay: has events told, in the OLTP, and hands the mails that this makes to the queue.

An event is taken and its notifications are written in one transaction. The queue commits before
the outbox does, so that a crash between the two hands mails over again, which the queue then
knows. ``python -m oltp_lab.neighbours.notifications.relay`` runs it as a service.
"""

import logging
import threading
import time
from dataclasses import dataclass
from datetime import timedelta

import click
import psycopg

from oltp_lab import servers, settings, sql
from oltp_lab.errors import LabError
from oltp_lab.neighbours import services
from oltp_lab.neighbours.notifications import kill
from oltp_lab.neighbours.notifications.kill import Point
from oltp_lab.servers import Database

log = logging.getLogger(__name__)

POLL_S = (0.02, 0.05)
"""Seconds between two looks at an empty outbox: at first, and at most."""
LONGEST_PAUSE_S = 5.0
"""Seconds between two attempts, at most, while a server cannot be reached."""

_QUERIES = sql.queries("neighbours/notifications/relay.sql")


@dataclass(frozen=True)
class Places:
    """Where events come from, and where mails go to."""

    outbox: Database
    queue: Database


@dataclass(frozen=True)
class Terms:
    """How many mails a user gets in a ``period`` before a digest; events and mails of a batch."""

    burst: int = 5
    period: timedelta = timedelta(hours=1)
    batch: int = 2000

    def arguments(self) -> list[str]:
        """As the service is told."""
        told = {"burst": self.burst, "period": self.period.total_seconds(), "batch": self.batch}
        return [text for name, value in told.items() for text in (f"--{name}", f"{value}")]


def drain(places: Places, terms: Terms = Terms()) -> int:
    """Tell and hand over what there is; returns how many events and mails were taken."""
    total = 0
    with (
        places.queue.connect("lab_platform") as queue,
        places.outbox.connect("lab_platform") as outbox,
    ):
        _limit(queue, "limits_of_queue")
        _limit(outbox, "limits_of_outbox")
        while taken := fan_out(outbox, terms) + hand_over(outbox, queue, terms):
            total += taken
    return total


def fan_out(outbox: psycopg.Connection, terms: Terms, point: Point = kill.nothing) -> int:
    """Have whom they concern told of a batch of events; returns how many events there were."""
    (taken,) = outbox.execute(_QUERIES["fan_out"], vars(terms)).fetchone() or (0,)
    point("fanned out")
    outbox.commit()
    point("fan-out committed")
    return taken


def hand_over(
    outbox: psycopg.Connection,
    queue: psycopg.Connection,
    terms: Terms,
    point: Point = kill.nothing,
) -> int:
    """Hand over a batch of mails, a transaction of each session; returns how many were taken."""
    taken, *mails = outbox.execute(_QUERIES["take"], vars(terms)).fetchone() or (0,)
    point("taken")
    if taken:
        queue.execute(_QUERIES["hand_over"], mails)
        point("handed over")
        queue.commit()
        point("queue committed")
    outbox.commit()
    point("outbox committed")
    return taken


def run(
    places: Places, terms: Terms, ended: threading.Event, *, point: Point = kill.nothing
) -> None:
    """Work until ``ended``; a server that cannot be reached is tried again and again.

    While the queue cannot be reached events are told all the same.
    """
    pause = 0.1
    while not ended.is_set():
        try:
            with places.outbox.connect("lab_platform") as outbox:
                _limit(outbox, "limits_of_outbox")
                while fan_out(outbox, terms, point):
                    pass
                with places.queue.connect("lab_platform") as queue:
                    _limit(queue, "limits_of_queue")
                    pause = 0.1
                    while not ended.is_set():
                        told = fan_out(outbox, terms, point)
                        if not (hand_over(outbox, queue, terms, point) or told):
                            _wait(outbox, ended)
        except (psycopg.Error, LabError) as error:
            log.warning("work begins anew after %s: %s", type(error).__name__, error)
            ended.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)


def _limit(session: psycopg.Connection, limits: str) -> None:
    session.execute(_QUERIES[limits])
    session.commit()


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
@click.option("--burst", default=Terms.burst)
@click.option("--period", "period_s", default=Terms.period.total_seconds(), help="Seconds.")
@click.option("--batch", default=Terms.batch)
@click.option("--die-at", type=click.Choice(kill.RELAY))
@click.option("--visit", default=1)
def main(
    outbox: str, queue: str, burst: int, period_s: float, batch: int,
    die_at: str | None, visit: int,
) -> None:  # fmt: skip
    """Run until standard input ends."""
    current, ended = settings.load(), threading.Event()
    places = Places(
        servers.oltp(current).sibling(outbox), servers.neighbours(current, "queue").sibling(queue)
    )
    terms = Terms(burst, timedelta(seconds=period_s), batch)
    services.when_abandoned(ended.set)
    services.announce(0, at=time.time())
    run(places, terms, ended, point=kill.at(die_at, visit))


if __name__ == "__main__":
    main()

"""Relays that break a rule, each of which a crash must show: it loses mails, or doubles them."""

import sys

import psycopg

from oltp_lab.neighbours.notifications import kill, relay
from oltp_lab.neighbours.notifications.kill import Point
from oltp_lab.neighbours.notifications.relay import Terms

_hand_over = relay.hand_over


def reversed_commits(
    outbox: psycopg.Connection,
    queue: psycopg.Connection,
    terms: Terms,
    point: Point = kill.nothing,
) -> int:
    """The outbox commits first."""

    def early(reached: str) -> None:
        if reached == "handed over":
            outbox.commit()
        point(reached)

    return _hand_over(outbox, queue, terms, early)


def forgetful(
    outbox: psycopg.Connection,
    queue: psycopg.Connection,
    terms: Terms,
    point: Point = kill.nothing,
) -> int:
    """Nothing is remembered of what was handed over."""
    queue.execute("truncate queue.relay_seen")
    return _hand_over(outbox, queue, terms, point)


WAYS = {"reversed": reversed_commits, "forgetful": forgetful}

if __name__ == "__main__":
    (way,) = WAYS.keys() & set(sys.argv)
    sys.argv.remove(way)
    relay.hand_over = WAYS[way]
    relay.main()

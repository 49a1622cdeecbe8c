"""Addresses fail all at once while mail goes on; what is left then is shared out and given up."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from threading import Event
from typing import Any

import psycopg

from oltp_lab.errors import LabError
from oltp_lab.neighbours.addresses.trial import Session, Trial

_FAILING = 2
_LIMIT_S = 60.0


def storm(made: Trial, tenants: Sequence[Any], at: datetime) -> str | None:
    """Half of the addresses are blocklisted and servers fail; why none is free in the end.

    Sessions share the failover, two replace the same addresses, some of which come off the list
    meanwhile. There are fewer spare ones than are needed.
    """
    platform, over = made.platform, Event()
    servers = platform.values("busiest_servers", most=_FAILING)
    with platform.connection.transaction():
        platform.rows("before")
        hit = platform.values("list_addresses", at=at)
        platform.rows("doomed", servers=servers)
    made.rent(1, max(1, len(hit) // 3), at)
    listed = platform.values("listed")
    recovering = listed[-max(1, len(listed) // 6) :]
    replaced = listed[: -len(recovering)][::3]

    def send(session: Session) -> None:
        while not over.is_set():
            for tenant in tenants:
                session.rows("send", tenant=tenant, at=at, mails=2)
                if over.is_set():
                    return

    def rotate(session: Session) -> None:
        until = time.monotonic() + _LIMIT_S
        while session.values("blocked")[0]:
            session.rows("rotate", stage="storm", at=at)
            if time.monotonic() > until:
                raise LabError("addresses are still blocked after a minute of rotation")

    def fail(session: Session) -> None:
        for server in servers:
            session.rows("fail", stage="storm", server=server, at=at)

    def recover(session: Session) -> None:
        for address in reversed(recovering):
            session.rows("recover", address=address, at=at)

    def replace(session: Session) -> None:
        for address in replaced:
            session.rows("replace", stage="storm", address=address, at=at)

    rotations = max(1, len(made.sessions) - 5)
    works: list[Callable[[Session], None]] = [
        recover,
        replace,
        replace,
        fail,
        *[rotate] * rotations,
    ]
    at_work = list(works)

    def until_all_are_done(session: Session, work: Callable[[Session], None]) -> None:
        try:
            work(session)
        finally:
            at_work.remove(work)
            if not at_work:
                over.set()

    made.together(*[partial(until_all_are_done, work=work) for work in works], send)
    return next(iter(platform.values("shortage", at=at)), None)


def supply(made: Trial, at: datetime) -> None:
    """More are rented, and two sessions give them to who waits."""
    waiting = len(made.platform.values("waiting"))
    made.rent(2, 2 * waiting + 4, at)
    for rows in made.together(*[lambda session: session.rows("supply", at=at)] * 2):
        for refusal, calls in Counter(row["refusal"] for row in rows).items():
            made.note("supply", "supply", refusal or "allocated", calls)


def give_up(made: Trial, tenants: Sequence[Any], at: datetime) -> None:
    """A server is drained while others look for addresses, and retires; so do some domains."""
    (server,) = made.platform.values("busiest_servers", most=1)
    (left,) = made.platform.values("left_on", server=server)
    made.rent(1, left, at)
    drained = Event()

    def drain(session: Session) -> None:
        try:
            while session.values("left_on", server=server)[0]:
                session.rows("drain", server=server, at=at)
            session.rows("retire", server=server, at=at)
        finally:
            drained.set()

    def come_and_go(session: Session) -> None:
        while not drained.is_set():
            (given,) = session.rows("allocate", tenant=tenants[0], at=at, expected=0)
            if given["smtp_ip_id"]:
                session.rows("release", address=given["smtp_ip_id"], at=at)

    made.together(drain, come_and_go)

    def decommission(session: Session) -> Counter[str]:
        done: Counter[str] = Counter()
        for tenant in tenants:
            try:
                session.rows("give_up", tenant=tenant, at=at)
                done["given up"] += 1
            except psycopg.errors.CheckViolation:
                done["given up already"] += 1
        return done

    for done in made.together(decommission, decommission):
        for outcome, calls in done.items():
            made.note("giving up", "decommission_domain", outcome, calls)

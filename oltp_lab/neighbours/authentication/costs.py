"""What logging in costs, by bcrypt's cost, and what it costs to authorize each request."""

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import psycopg

from oltp_lab import sql
from oltp_lab.measuring import statistics
from oltp_lab.measuring.turns import in_turns
from oltp_lab.neighbours.authentication.passwords import Passwords
from oltp_lab.neighbours.authentication.service import Service, Session, opened
from oltp_lab.servers import Database

BARE, IN_CONTEXT, ADMITTED = "bare", "in_context", "admitted"
"""A transaction of one query: by a role that sees every tenant; in the context of a tenant, which
is believed; and by the service, which asks first whose session it is and where they may be."""
_PASSWORD = "as good as any"

Rows = list[dict[str, Any]]


def log_ins(database: Database, costs: list[int], times: int) -> Rows:
    """A row for each cost: log-ins through the service, one after another."""
    rows: Rows = []
    for cost in costs:
        with opened(database, Passwords(cost)) as service:
            address = f"cost{cost}@acme.example"
            service.sign_up(address, _PASSWORD)
            service.log_in(address, _PASSWORD)  # the first is cold
            began = time.perf_counter()
            for _ in range(times):
                service.log_in(address, _PASSWORD)
            seconds = time.perf_counter() - began
        found = {"log_ins": times, "seconds": seconds, "log_ins_per_s": times / seconds}
        rows.append({"cost": cost, **found})
    return rows


def requests(database: Database, rounds: int, times: int) -> Rows:
    """A row for each way: its median time, and that as a multiple of the bare query's."""
    with (
        opened(database, Passwords(4)) as service,
        database.connect(autocommit=True) as administrator,
        database.connect("lab_platform", autocommit=True) as platform,
        database.connect("lab_app", autocommit=True) as app,
    ):
        _, tenant = service.sign_up("request@acme.example", _PASSWORD, "Requests")
        assert tenant
        platform.execute(_queries()["leads"], {"tenant": tenant})
        administrator.execute("analyze campaigns.leads")
        session = service.switch(service.log_in("request@acme.example", _PASSWORD), tenant)
        ways: dict[str, Callable[[], object]] = {
            BARE: lambda: _bare(platform, session),
            IN_CONTEXT: lambda: _in_context(app, session),
            ADMITTED: lambda: _admitted(service, session),
        }
        timed = {name: partial(_timed, act) for name, act in ways.items()}
        found = [in_turns(timed, times, warm_up=0) for _ in range(rounds + 1)][1:]  # one to warm up
        taken = {name: [median(one[name]) for one in found] for name in ways}
    rows: Rows = []
    for name, values in taken.items():
        ratio = statistics.compare(values, taken[BARE])
        told = {"ratio": ratio.ratio, "low": ratio.low, "high": ratio.high}
        rows.append({"way": name, "ms": median(values), **told})
    return rows


def _bare(platform: psycopg.Connection, session: Session) -> None:
    with platform.transaction():
        platform.execute(_queries()["request"], {"tenant": session.tenant}).fetchall()


def _in_context(app: psycopg.Connection, session: Session) -> None:
    with app.transaction():
        app.execute(_queries()["enter"], {"tenant": session.tenant})
        app.execute(_queries()["request"], {"tenant": session.tenant}).fetchall()


def _admitted(service: Service, session: Session) -> None:
    with service.transaction(session) as work:
        work.execute(_queries()["request"]).fetchall()


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - began)


def _queries() -> dict[str, Any]:
    return sql.queries("neighbours/authentication/costs.sql")

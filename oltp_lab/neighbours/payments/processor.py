"""The inbox is worked off: for each customer that something happened to, its state is fetched.

Three steps that a crash may come between: events are claimed (a lease, committed), the provider is
asked (no transaction is open), the state is taken over and the events are ended (committed).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg
import stripe
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from oltp_lab import sql
from oltp_lab.errors import LabError

State = dict[str, Any]
_ADVICE = "the provider did not answer as it should"


def process(
    connection: psycopg.Connection,
    fetch: Callable[[str], State],
    tenant_of: Callable[[str], str | None] = lambda _: None,
    *,
    batch: int = 200,
    at: datetime | None = None,
) -> int:
    """Work off one batch of what is due, over an autocommit session of lab_platform.

    Returns the number of events. What cannot be taken over is tried again later.
    """
    if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        raise RuntimeError("a transaction would be open while the provider is waited for")
    queries = sql.queries("neighbours/payments/queries.sql")
    with connection.cursor(row_factory=dict_row) as cursor:
        claimed = cursor.execute(queries["claim"], {"batch": batch, "at": at or _now(connection)})
        due = claimed.fetchall()
    for row in due:
        if row["customer"] is None:
            connection.execute(queries["ignore"], row)
            continue
        try:
            if row["tenant"] is None and not _link(connection, row["customer"], tenant_of):
                connection.execute(queries["ignore"], row)  # somebody else's at the same account
                continue
            told = fetch(row["customer"])
            connection.execute(queries["mirror"], {**row, "told": Jsonb(told)})
        except (stripe.StripeError, LabError, psycopg.Error) as error:
            if connection.broken:
                raise  # whose claims lapse
            problem = str(error) if isinstance(error, psycopg.Error) else _ADVICE
            connection.execute(queries["fail"], {**row, "problem": problem})
    return sum(len(row["event_ids"]) for row in due)


def _now(connection: psycopg.Connection) -> datetime:
    found = connection.execute("select now()").fetchone()
    assert found
    return found[0]


def _link(
    connection: psycopg.Connection, customer: str, tenant_of: Callable[[str], str | None]
) -> bool:
    """A customer that was made, and whose maker died before it was noted here."""
    tenant = tenant_of(customer)
    if tenant is None:
        return False
    queries = sql.queries("neighbours/payments/queries.sql")
    connection.execute(queries["link"], {"tenant": tenant, "customer": customer})
    return True

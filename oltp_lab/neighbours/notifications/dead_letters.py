"""Mails that were given up: held by the queue until an operator has them tried again."""

from pgqueuer.adapters.persistence.qb import QueryQueueBuilder
from pgqueuer.domain.settings import DBSettings
from psycopg import RawCursor

from oltp_lab import sql
from oltp_lab.neighbours.notifications.relay import Places

_QUERIES = sql.queries("neighbours/notifications/dead_letters.sql")
_REQUEUE = QueryQueueBuilder(DBSettings(db_schema="queue")).build_requeue_jobs_query()


def requeue(places: Places, at_most: int = 1000) -> int:
    """Try the oldest again from the start; returns how many.

    The notifications first: whose job is still held after a crash is requeued by the next call.
    """
    with places.queue.connect("lab_platform") as queue:
        held = queue.execute(_QUERIES["held"], [at_most]).fetchall()
        jobs, tenants, ids = ([row[n] for row in held] for n in range(3))
        with places.outbox.connect("lab_platform") as oltp:
            oltp.execute(_QUERIES["retry"], [tenants, ids])
        RawCursor(queue).execute(_REQUEUE.encode(), [jobs])
    return len(jobs)

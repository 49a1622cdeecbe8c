"""Mails that were given up and events that cannot be told: held until an operator tries again."""

from pgqueuer.adapters.persistence.qb import QueryQueueBuilder
from pgqueuer.domain.settings import DBSettings
from psycopg import RawCursor
from psycopg.types.json import Jsonb

from oltp_lab import sql
from oltp_lab.neighbours.notifications.relay import Places

_QUERIES = sql.queries("neighbours/notifications/dead_letters.sql")
_REQUEUE = QueryQueueBuilder(DBSettings(db_schema="queue")).build_requeue_jobs_query()


def requeue(places: Places, at_most: int = 1000) -> int:
    """Try the oldest again from the start; returns how many mails and events.

    The OLTP commits first: what is still held after a crash is requeued by the next call.
    """
    with places.queue.connect("lab_platform") as queue:
        jobs = queue.execute(_QUERIES["mails"], [at_most]).fetchall()
        events = [event for (event,) in queue.execute(_QUERIES["events"], [at_most]).fetchall()]
        requeued = len(events)
        with places.outbox.connect("lab_platform") as oltp:
            for _, tenant, mails in jobs:
                (retried,) = oltp.execute(_QUERIES["retry"], [tenant, mails]).fetchone() or (0,)
                requeued += retried
            oltp.execute(_QUERIES["tell_again"], [Jsonb(events)])
        RawCursor(queue).execute(_REQUEUE.encode(), [[job for job, *_ in jobs]])
    return requeued

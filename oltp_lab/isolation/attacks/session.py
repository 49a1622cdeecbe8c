"""A session that is sent scripts as psql would send them, and tells what the last statement did.

psycopg's own cursors know nothing of several statements in one message with a COPY among them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import psycopg
from psycopg.pq import DiagnosticField, ExecStatus, TransactionStatus

from oltp_lab.servers import busy

_FAILED = (ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE)
_SHOWN = 100  # characters of a row that was seen


@dataclass(frozen=True)
class Reaction:
    """What the server did: rows returned or touched, or an error's SQLSTATE; and its words."""

    rows: int
    code: str | None = None
    words: str = ""


class Session:
    """One connection; every script is rolled back. ``answered`` counts statements of all."""

    answered: ClassVar[int] = 0

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self._libpq = connection.pgconn

    def run(self, sections: Sequence[str], afterwards: str | None = None) -> Reaction:
        """Send the sections one after the other, whether or not those before the last failed.

        Of the last, what its last statement did is told. Raises psycopg.OperationalError when the
        connection is lost.
        """
        with busy.busy():
            for section in sections[:-1]:
                self._send(section)
            # In one message with the last statement, unless that fails.
            *_, told, ended = [Reaction(0), *self._send(f"{sections[-1]}\nrollback")]
            if self._libpq.transaction_status != TransactionStatus.IDLE:
                self._send("rollback")
                told = ended
            elif ended.code:
                told = ended
            if afterwards:
                self._send(afterwards)
            return told

    def _send(self, script: str) -> list[Reaction]:
        self._libpq.send_query(script.encode())
        reactions = []
        copied = 0
        while (result := self._libpq.get_result()) is not None:
            if result.status == ExecStatus.COPY_OUT:
                while self._libpq.get_copy_data(0)[0] > 0:
                    copied += 1
                continue
            if result.status == ExecStatus.COPY_IN:
                self._libpq.put_copy_end()
                continue
            reactions.append(_reaction(result, copied))
            copied = 0
        if self._libpq.status != psycopg.pq.ConnStatus.OK:
            raise psycopg.OperationalError(self._libpq.error_message.decode())
        Session.answered += len(reactions)
        return reactions


def _reaction(result: psycopg.pq.abc.PGresult, copied: int) -> Reaction:
    if result.status in _FAILED:
        code = (result.error_field(DiagnosticField.SQLSTATE) or b"").decode()
        primary = result.error_field(DiagnosticField.MESSAGE_PRIMARY) or b""
        return Reaction(0, code, primary.decode())
    if result.status == ExecStatus.TUPLES_OK:
        return Reaction(result.ntuples, words=_first_row(result))
    return Reaction(copied or result.command_tuples or 0)


def _first_row(result: psycopg.pq.abc.PGresult) -> str:
    if not result.ntuples:
        return ""
    values = (result.get_value(0, column) for column in range(min(result.nfields, 3)))
    return ", ".join(value.decode("utf-8", "replace") if value else "null" for value in values)[
        :_SHOWN
    ]

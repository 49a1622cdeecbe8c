"""Mails over SMTP: what became of each, and whether it may be tried again.

SMTP alone delivers at least once: whoever dies between the server's 250 and writing it down has to
send again. A mail keeps its Message-ID for that, by which mailboxes know what they have.
"""

import re
import smtplib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from itertools import zip_longest

from oltp_lab.neighbours.services import HOST

LIMIT_S = 5.0
"""Seconds that the server may take for an answer."""
SENDER = "notifications@oltp-lab.example"
_ADDRESS = re.compile(r"[!-;=?-~]+@[!-;=?-~]+")
"""What may stand in an envelope: no space, no bracket, nothing that ends a line."""
_FOR_GOOD = range(500, 600)

Answer = tuple[int, bytes]


@dataclass(frozen=True)
class Mail:
    """A notification as a mail; ``event`` is what it tells of, however often it is sent."""

    id: str
    tenant_id: str
    address: str
    event: str
    subject: str
    body: str

    @property
    def message_id(self) -> str:
        return f"<{self.id}@oltp-lab.example>"

    def encoded(self) -> bytes:
        """As it goes over the line; ``EmailMessage`` takes ten times as long."""
        message = Message()
        message["From"], message["To"] = SENDER, self.address
        message["Subject"] = " ".join(self.subject.split())
        message["Message-ID"], message["X-Event"] = self.message_id, self.event
        message.set_payload(self.body, "us-ascii" if self.body.isascii() else "utf-8")
        return re.sub(rb"\r?\n(\.?)", rb"\r\n\1\1", message.as_bytes()) + b"\r\n.\r\n"

    def envelope(self) -> list[bytes]:
        """The commands that come before it."""
        to = self.address.encode("ascii")
        return [b"MAIL FROM:<%b>\r\n" % SENDER.encode(), b"RCPT TO:<%b>\r\n" % to, b"DATA\r\n"]


@dataclass(frozen=True)
class Refusal:
    """Why a mail did not arrive, and whether that is for good."""

    reason: str
    for_good: bool


class Post:
    """A connection to the mail server that is kept from mail to mail."""

    def __init__(self, port: int, *, limit: float = LIMIT_S) -> None:
        self._port, self._limit = port, limit
        self._connection: smtplib.SMTP | None = None

    def send(self, mails: Sequence[Mail]) -> dict[str, Refusal | None]:
        """Send them one after the other; what became of each, by id (``None``: accepted).

        Where the server does not answer, what is left is not tried in this round.
        """
        outcomes: dict[str, Refusal | None] = {}
        sendable = []
        for mail in mails:
            if _ADDRESS.fullmatch(mail.address):
                sendable.append(mail)
            else:
                outcomes[mail.id] = Refusal("no mail goes to such an address", True)
        try:
            for mail, refused in self._send(sendable):
                outcomes[mail.id] = refused
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            lost = Refusal(f"mail server: {error or type(error).__name__}"[:200], False)
            outcomes |= {mail.id: lost for mail in sendable if mail.id not in outcomes}
        return outcomes

    def _send(self, mails: Sequence[Mail]) -> Iterator[tuple[Mail, Refusal | None]]:
        """The envelope of the next mail goes with a mail, where the server can take that."""
        if mails and self._connection is None:
            self._connection = smtplib.SMTP(HOST, self._port, timeout=self._limit)
            self._connection.ehlo_or_helo_if_needed()
        ahead: Iterator[Answer] | None = None
        for mail, following in zip_longest(mails, mails[1:]):
            answers = list(ahead or self._converse(mail.envelope()))
            ahead = None
            refused = next((no for answer in answers if (no := _refusal(answer))), None)
            if refused is None:
                more = following.envelope() if following and self._pipelining else []
                ahead = self._converse([mail.encoded(), *more])
                refused = _refusal(next(ahead))
                ahead = ahead if more else None
            else:
                # A server may wait for the mail all the same, and gets an empty one for nobody.
                waits = answers[-1][0] == 354
                list(self._converse([b".\r\n" if waits else b"RSET\r\n"]))
            yield mail, refused

    @property
    def _pipelining(self) -> bool:
        return bool(self._connection and self._connection.has_extn("pipelining"))

    def _converse(self, commands: Sequence[bytes]) -> Iterator[Answer]:
        """The answers; all commands go at once where the server can take that (RFC 2920)."""
        assert self._connection
        if self._pipelining:
            self._connection.send(b"".join(commands))
        for command in commands:
            if not self._pipelining:
                self._connection.send(command)
            yield self._connection.getreply()

    def close(self) -> None:
        """Let the connection go, if there is one."""
        if self._connection:
            with suppress(OSError):
                self._connection.close()
            self._connection = None


def _refusal(answer: Answer) -> Refusal | None:
    code, told = answer
    if code in (250, 354):
        return None
    said = f"{code} {told.decode('utf-8', 'replace')}"
    if code not in range(400, 600) or code == 421:  # which closes the connection
        raise smtplib.SMTPException(said)
    return Refusal(said[:200], code in _FOR_GOOD)

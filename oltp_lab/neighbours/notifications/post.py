"""Mails over SMTP: what became of each, and whether it may be tried again.

SMTP alone delivers at least once: whoever dies between the server's 250 and writing it down has to
send again. A mail keeps its Message-ID for that, by which mailboxes know what they have.
"""

import smtplib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage

from oltp_lab.neighbours.services import HOST

LIMIT_S = 5.0
"""Seconds that the server may take for an answer."""
SENDER = "notifications@oltp-lab.example"
_FOR_GOOD = range(500, 600)


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
        message = EmailMessage()
        message["From"], message["To"] = SENDER, self.address
        message["Subject"] = " ".join(self.subject.split())
        message["Message-ID"], message["X-Event"] = self.message_id, self.event
        message.set_content(self.body)
        return message.as_bytes()


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

    def send(self, mails: Iterable[Mail]) -> dict[str, Refusal | None]:
        """Send them one after the other; what became of each, by id (``None``: accepted).

        Where the server does not answer, what is left is not tried in this round.
        """
        outcomes: dict[str, Refusal | None] = {}
        lost: Refusal | None = None
        for mail in mails:
            if lost is None:
                try:
                    outcomes[mail.id] = self._send(mail)
                    continue
                except (OSError, smtplib.SMTPException, ValueError) as error:
                    self.close()
                    lost = Refusal(f"mail server: {error or type(error).__name__}"[:200], False)
            outcomes[mail.id] = lost
        return outcomes

    def _send(self, mail: Mail) -> Refusal | None:
        if self._connection is None:
            self._connection = smtplib.SMTP(HOST, self._port, timeout=self._limit)
        try:
            self._connection.sendmail(SENDER, [mail.address], mail.encoded())
        except smtplib.SMTPRecipientsRefused as error:
            ((code, said),) = error.recipients.values()
        except smtplib.SMTPDataError as error:
            code, said = error.smtp_code, error.smtp_error
        else:
            return None
        told = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        if code not in range(400, 600):
            raise smtplib.SMTPException(f"{code} {told}")
        return Refusal(f"{code} {told}"[:200], code in _FOR_GOOD)

    def close(self) -> None:
        """Let the connection go, if there is one."""
        if self._connection:
            with suppress(OSError):
                self._connection.close()
            self._connection = None

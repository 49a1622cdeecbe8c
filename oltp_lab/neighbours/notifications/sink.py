"""A mail server that keeps what it accepts in a file: ``python -m ...notifications.sink FILE``.

It refuses for good (550) who has ``gone`` in the address, and once (451) what is first sent to who
has ``later`` in it. ``--mood slow`` answers late, ``--mood rubbish`` answers what is not SMTP.
"""

import asyncio
import json
import re
import time
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any, TextIO

import click
from aiosmtpd.smtp import SMTP, Envelope, Session

from oltp_lab.neighbours import services

GONE, LATER = "gone", "later"
SLOW_S = 30.0


class Keeper:
    """aiosmtpd's handler. A mail is in the file before it is acknowledged."""

    def __init__(self, file: TextIO, late: float) -> None:
        self.file, self.late = file, late
        self.deferred: set[str] = set()

    async def handle_EHLO(  # noqa: N802  aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, name: str, responses: list[str]
    ) -> list[str]:
        session.host_name = name  # type: ignore[assignment]  # aiosmtpd's own example
        return [*responses[:-1], "250-PIPELINING", responses[-1]]

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        await asyncio.sleep(self.late)
        if re.search(rf"\b{GONE}\b", address):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content: Any = envelope.content
        mail = BytesHeaderParser().parsebytes(content)
        first = f"{mail['X-Event']} {envelope.rcpt_tos}"
        if (
            any(re.search(rf"\b{LATER}\b", to) for to in envelope.rcpt_tos)
            and first not in self.deferred
        ):
            self.deferred.add(first)
            return "451 4.7.1 try again later"
        for to in envelope.rcpt_tos:
            kept = {"to": to, "id": mail["Message-ID"], "event": mail["X-Event"], "at": time.time()}
            print(json.dumps(kept), file=self.file, flush=True)
        return "250 OK"


async def _rubbish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"<html>welcome</html>\r\n" * 3)
    await writer.drain()
    writer.close()


async def _serve(file: TextIO, port: int, mood: str) -> None:
    loop = asyncio.get_running_loop()
    if mood == "rubbish":
        server = await asyncio.start_server(_rubbish, services.HOST, port)
    else:
        keeper = Keeper(file, SLOW_S if mood == "slow" else 0.0)
        server = await loop.create_server(
            lambda: SMTP(keeper, hostname="sink.example", loop=loop), services.HOST, port
        )
    ended = asyncio.Event()
    services.when_abandoned(lambda: loop.call_soon_threadsafe(ended.set))
    services.announce(server.sockets[0].getsockname()[1])
    await ended.wait()
    server.close()


@click.command()
@click.argument("mailbox", type=click.Path(path_type=Path))
@click.option("--port", default=0)
@click.option("--mood", type=click.Choice(["good", "slow", "rubbish"]), default="good")
def main(mailbox: Path, port: int, mood: str) -> None:
    """Keep mails in MAILBOX, a line of JSON each, until standard input ends."""
    with mailbox.open("a", encoding="utf-8") as file:
        asyncio.run(_serve(file, port, mood))


if __name__ == "__main__":
    main()

"""Look-ups through dnspython, as lists of strings, over sockets that are used again."""

import asyncio
import socket
from typing import Any

import dns.asyncquery
import dns.asyncresolver
import dns.exception
import dns.message
import dns.nameserver
import dns.rdatatype
import dns.resolver

from oltp_lab.neighbours import services
from oltp_lab.neighbours.dns.spf import UnansweredError


class Resolver:
    """Asks the server on this port of the loopback interface, counts, and remembers for a while.

    One look-up waits ``timeout`` seconds for a datagram and ``lifetime`` in all. It serves one run
    of an event loop, whose sockets it has until ``close``.
    """

    def __init__(self, port: int, *, timeout: float = 0.2, lifetime: float = 0.6) -> None:
        self.port = port
        self.lookups = self.unanswered = self.in_a_row = 0
        self._server = _Server(services.HOST, port)
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        self._resolver.nameservers = [self._server]
        self._resolver.timeout, self._resolver.lifetime = timeout, lifetime
        self._shared: dict[tuple[str, str], asyncio.Future[list[str]]] = {}

    async def ask(self, name: str, kind: str) -> list[str]:
        """The values; none where there is no such name or record. Raises UnansweredError."""
        self.lookups += 1
        try:
            answer = await self._resolver.resolve(
                name, kind, raise_on_no_answer=False, search=False
            )
        except dns.resolver.NXDOMAIN:
            self.in_a_row = 0
            return []
        except (dns.exception.DNSException, OSError) as error:
            self.unanswered += 1
            self.in_a_row += isinstance(error, dns.resolver.LifetimeTimeout)
            raise UnansweredError(_told(error)) from None
        self.in_a_row = 0
        return [] if answer.rrset is None else [_text(data) for data in answer.rrset]

    async def ask_shared(self, name: str, kind: str) -> list[str]:
        """The same, from what was answered to others of this run; it is asked and counted once."""
        key = name.lower(), kind
        if key not in self._shared:
            self._shared[key] = asyncio.ensure_future(self.ask(name, kind))
        try:
            return await asyncio.shield(self._shared[key])
        except UnansweredError:  # to the next who asks there may be an answer
            self._shared.pop(key, None)
            raise

    async def close(self) -> None:
        """Give the sockets back."""
        await self._server.close()


class _Server(dns.nameserver.Do53Nameserver):
    """A socket for as many look-ups as run at once, where dnspython makes one for each.

    Its port is then the same for many queries, which only a server within reach of nobody else may
    be asked from; a stray answer is told by its id and question.
    """

    def __init__(self, address: str, port: int) -> None:
        super().__init__(address, port)
        self._idle: list[Any] = []

    async def async_query(
        self,
        request: dns.message.QueryMessage,
        timeout: float,
        source: str | None,
        source_port: int,
        max_size: bool,
        backend: Any,
        one_rr_per_rrset: bool = False,
        ignore_trailing: bool = False,
    ) -> dns.message.Message:
        if max_size:
            return await super().async_query(
                request, timeout, source, source_port, max_size, backend
            )
        if self._idle:
            link = self._idle.pop()
        else:
            link = await backend.make_socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            return await dns.asyncquery.udp(
                request, self.address, timeout, self.port, sock=link, raise_on_truncation=True,
                ignore_unexpected=True, ignore_errors=True,
            )  # fmt: skip
        finally:
            self._idle.append(link)

    async def close(self) -> None:
        for link in self._idle:
            await link.close()
        self._idle.clear()


def _text(data: Any) -> str:
    """As an administrator would write it: a TXT's strings joined, names without the last dot."""
    if data.rdtype == dns.rdatatype.TXT:
        return b"".join(data.strings).decode("latin-1")
    text = data.to_text()
    return text if text.endswith(" .") else text.removesuffix(".")


def _told(error: BaseException) -> str:
    """The reason in a word or two, the same for the same reason."""
    if isinstance(error, dns.resolver.NoNameservers):
        text = str(error.kwargs["errors"][-1][3]) if error.kwargs.get("errors") else "no answer"
        return text[:100]
    return "timeout" if isinstance(error, dns.resolver.LifetimeTimeout) else type(error).__name__

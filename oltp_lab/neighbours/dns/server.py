"""An authoritative DNS server for zones out of a file, which misbehaves where the file says so.

``python -m oltp_lab.neighbours.dns.server FILE`` speaks UDP and TCP. FILE is JSON: a ``serial``,
which a look-up of ``. SOA`` shows, and ``rows`` of name, type and value. A value ``!BEHAVIOUR`` is
how that name and type are answered: see ``_MISBEHAVIOURS``. SIGHUP makes it read FILE anew.
"""

import asyncio
import json
import signal
import socket
import struct
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import cast

import dnslib

from oltp_lab.neighbours import services

SLOW_S = 0.1
_UDP_SIZE = 512
_TTL = 60
_RCODES = {"servfail": 2, "refused": 5}
_FORGED = {"forged", "forged first"}
_MISBEHAVIOURS = {"slow", "silent", "lost once", "truncated", "rubbish", *_FORGED, *_RCODES}
_RDATA = {"A": dnslib.A, "AAAA": dnslib.AAAA, "CNAME": dnslib.CNAME}
_AUTHORITATIVE, _TRUNCATED = 0x8400, 0x0200
_NOTHING = b"\0\0"

Key = tuple[str, str]


class Zones:
    """Answers by name and type, packed once."""

    def __init__(self, path: Path) -> None:
        described = json.loads(path.read_text("utf-8"))
        self.serial: int = described["serial"]
        self.values: dict[Key, list[str]] = defaultdict(list)
        self.behaviours: dict[Key, str] = {}
        for name, kind, value in described["rows"]:
            if value.startswith("!"):
                self.behaviours[name, kind] = value[1:]
            else:
                self.values[name, kind].append(value)
        if unknown := set(self.behaviours.values()) - _MISBEHAVIOURS:
            raise ValueError(f"no such behaviour: {', '.join(sorted(unknown))}")
        labels = [name.split(".") for name, _ in self.values]
        self.names = {".".join(parts[n:]) for parts in labels for n in range(len(parts))}
        self.packed = {key: self._pack(key) for key in list(self.values)}

    def answer(self, key: Key) -> tuple[bytes, int]:
        """The records of an answer, packed for a question of this name, and its code."""
        found = self.packed.get(key)
        if found is None:
            found = self.packed[key] = self._pack(key)
        return found

    def _pack(self, key: Key) -> tuple[bytes, int]:
        name, kind = key
        reply = dnslib.DNSRecord(dnslib.DNSHeader(qr=1, aa=1), q=dnslib.DNSQuestion(name))
        if kind == "SOA" and name == "":
            times = (self.serial, _TTL, _TTL, _TTL, _TTL)
            reply.add_answer(dnslib.RR("", 6, ttl=_TTL, rdata=dnslib.SOA("ns.", "root.", times)))
        for _ in range(8):
            for value in self.values.get((name, kind), ()):
                reply.add_answer(_record(name, kind, value))
            alias = self.values.get((name, "CNAME"))
            if kind == "CNAME" or not alias:
                break
            reply.add_answer(_record(name, "CNAME", alias[0]))
            name = alias[0].lower().rstrip(".")
        packed = reply.pack()
        known = name in self.names or name == ""
        question = len(key[0]) + 2 if key[0] else 1
        return struct.pack("!H", len(reply.rr)) + packed[12 + question + 4 :], 0 if known else 3


def _record(name: str, kind: str, value: str) -> dnslib.RR:
    if kind == "TXT":
        strings = [part[n : n + 255] for part in value.split("|") for n in range(0, len(part), 255)]
        data = dnslib.TXT([string.encode() for string in strings])
    elif kind == "MX":
        preference, host = value.split()
        data = dnslib.MX(host, int(preference))
    else:
        data = _RDATA[kind](value)
    return dnslib.RR(name, getattr(dnslib.QTYPE, kind), ttl=_TTL, rdata=data)


class Server(asyncio.DatagramProtocol):
    """Both transports over the same zones."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lost: set[Key] = set()
        self.zones = Zones(path)

    def reload(self) -> None:
        """Serve what the file has now."""
        self.zones = Zones(self.path)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._answer(data, lambda reply: self.transport.sendto(reply, addr), udp=True)

    async def stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One TCP connection."""

        def send(reply: bytes) -> None:
            writer.write(struct.pack("!H", len(reply)) + reply)

        try:
            while True:
                (size,) = struct.unpack("!H", await reader.readexactly(2))
                self._answer(await reader.readexactly(size), send, udp=False)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, data: bytes, send: Callable[[bytes], object], *, udp: bool) -> None:
        key, question = _asked(data)
        behaviour = self.zones.behaviours.get(key)
        if behaviour == "silent":
            return
        if behaviour == "lost once" and key not in self.lost:
            self.lost.add(key)
            return
        if behaviour == "rubbish":
            send(data[:2] + b"\xff" * 23)
            return
        if behaviour in _FORGED:
            _forge(data, question, send)
            if behaviour == "forged":
                return
        records, rcode = self.zones.answer(key)
        if behaviour in _RCODES:
            records, rcode = _NOTHING, _RCODES[behaviour]
        reply = _reply(data, question, records, rcode)
        if udp and (behaviour == "truncated" or len(reply) > _UDP_SIZE):
            reply = _reply(data, question, _NOTHING, rcode | _TRUNCATED)
        if behaviour == "slow":
            asyncio.get_running_loop().call_later(SLOW_S, send, reply)
        else:
            send(reply)


def _asked(data: bytes) -> tuple[Key, bytes]:
    """Name (in lower case) and type of a question, and its bytes."""
    labels, at = [], 12
    while size := data[at]:
        labels.append(data[at + 1 : at + 1 + size])
        at += size + 1
    kind = int.from_bytes(data[at + 1 : at + 3], "big")
    name = b".".join(labels).decode("latin-1").lower()
    return (name, str(dnslib.QTYPE.get(kind, kind))), data[12 : at + 5]


def _reply(data: bytes, question: bytes, records: bytes, flags: int) -> bytes:
    recursion_desired = int.from_bytes(data[2:4], "big") & 0x0100
    head = struct.pack("!HH", _AUTHORITATIVE | recursion_desired | flags, 1)
    return data[:2] + head + records[:2] + b"\0\0\0\0" + question + records[2:]


def _forge(data: bytes, question: bytes, send: Callable[[bytes], object]) -> None:
    """What somebody who cannot see the question would answer: with an id or a question of his own.

    It says that the name does not exist.
    """
    other_id = bytes([data[0] ^ 255]) + data[1:]
    send(_reply(other_id, question, _NOTHING, 3))
    other = question[:1] + bytes([question[1] ^ 1]) + question[2:]
    send(_reply(data, other, _NOTHING, 3))


async def serve(path: Path) -> None:
    """Until who started it goes away."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    ours = Server(path)
    loop.add_signal_handler(signal.SIGHUP, ours.reload)
    streams = await asyncio.start_server(ours.stream, services.HOST, 0)
    port = streams.sockets[0].getsockname()[1]
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    datagrams.bind((services.HOST, port))
    transport, _ = await loop.create_datagram_endpoint(lambda: ours, sock=datagrams)
    services.when_abandoned(lambda: loop.call_soon_threadsafe(ended.set))
    services.announce(port)
    await ended.wait()
    transport.close()
    streams.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))

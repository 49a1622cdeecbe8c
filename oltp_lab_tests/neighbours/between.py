"""A proxy before the loopback provider: it hands answers on, or spoils them as it is told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

from oltp_lab.neighbours import services

HANDED_ON = ("Authorization", "Idempotency-Key", "Content-Type")
SHAPELESS = b'{"object": "list", "has_more": false, "data": [{"object": "invoice", "id": "in_1"}]}'


class Between(ThreadingHTTPServer):
    """``way``: through, page (of HTML), half, shapeless, hang, lost (the answer to a change)."""

    daemon_threads = True
    way = "through"

    def __init__(self, port: int) -> None:
        super().__init__((services.HOST, 0), _Handler)
        self.behind = f"http://{services.HOST}:{port}"
        self.url = f"http://{services.HOST}:{self.server_address[1]}"
        self.held, self.released = threading.Event(), threading.Event()


class _Handler(BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True
    server: Between  # type: ignore[assignment]

    def answer(self) -> None:
        between, body = self.server, self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if between.way == "hang":
            between.held.set()
            between.released.wait(30)
            self.close_connection = True
            return
        given = {name: self.headers[name] for name in HANDED_ON if name in self.headers}
        told = requests.request(
            self.command, between.behind + self.path, data=body, headers=given, timeout=10
        )
        if between.way == "lost" and self.command != "GET":
            between.way, self.close_connection = "through", True
            return
        status, sent = told.status_code, told.content
        if between.way == "page":
            status, sent = 502, b"<html><h1>502 Bad Gateway</h1></html>"
        elif between.way == "shapeless":
            sent = SHAPELESS
        self.send_response(status)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        if between.way == "half":
            sent, self.close_connection = sent[: len(sent) // 2], True
        self.wfile.write(sent)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@contextmanager
def between(port: int) -> Iterator[Between]:
    """Before the provider at a port, until the block ends."""
    with Between(port) as proxy:
        threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02}).start()
        try:
            yield proxy
        finally:
            proxy.released.set()
            proxy.shutdown()

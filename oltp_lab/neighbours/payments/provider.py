"""The provider's HTTP side: forms, keys of idempotency, signed webhooks, faults as asked for.

Run by ``services.running``; its API key and the secret of its webhooks come by the environment.
"""

import asyncio
import hashlib
import hmac
import json
import random
import re
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from oltp_lab import settings
from oltp_lab.neighbours import services
from oltp_lab.neighbours.payments.books import DAY, Books, Object, Refusal

DELIVERERS = 8
_BACKOFF_S = 0.05


@dataclass(frozen=True)
class Faults:
    """Shares of 1: answers that come too late though the work is done, events that are delivered
    twice, at first not at all, or late by up to ``latest_s``; ``late_answer_s`` is how late."""

    late_answers: float = 0.0
    late_answer_s: float = 1.0
    duplicates: float = 0.0
    lost: float = 0.0
    late: float = 0.0
    latest_s: float = 0.2


@dataclass
class Deliveries:
    """Events on their way to the endpoint, each until it is taken; in any order."""

    secret: str
    faults: Faults
    choice: random.Random
    endpoint: str | None = None
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("events", "sent", "taken", "duplicates", "refused"), 0
        )
    )
    pending: int = 0
    _queue: asyncio.PriorityQueue[tuple[float, int, int, str]] = field(
        default_factory=asyncio.PriorityQueue
    )
    _number: int = 0

    def tell(self, event: Object) -> None:
        """Put an event on its way."""
        if not self.endpoint:
            return
        faults, body = self.faults, json.dumps(event)
        self.counts["events"] += 1
        times = 1 + (self.choice.random() < faults.duplicates)
        self.counts["duplicates"] += times - 1
        for _ in range(times):
            late = self.choice.random() < faults.late
            wait = self.choice.random() * faults.latest_s if late else 0.0
            first = 1 if self.choice.random() < faults.lost else 0
            self._put(time.monotonic() + wait, first, body)

    def _put(self, due: float, attempt: int, body: str) -> None:
        self._number, self.pending = self._number + 1, self.pending + 1
        self._queue.put_nowait((due, self._number, attempt, body))

    async def work(self) -> None:
        """Deliver, for ever."""
        link: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while True:
            due, _, attempt, body = await self._queue.get()
            await asyncio.sleep(max(due - time.monotonic(), 0))
            status = 0
            if attempt != 1:  # which was lost on its way
                self.counts["sent"] += 1
                try:
                    link = link or await self._connect()
                    status = await self._post(*link, body)
                except (OSError, asyncio.IncompleteReadError, ValueError):
                    link = None
            self.pending -= 1
            if 200 <= status < 300:
                self.counts["taken"] += 1
            else:
                self.counts["refused"] += status > 0
                backoff = _BACKOFF_S * 2 ** min(attempt, 6)
                self._put(time.monotonic() + backoff, attempt + 2, body)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        place = urlsplit(self.endpoint or "")
        return await asyncio.open_connection(str(place.hostname), place.port or 80)

    async def _post(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: str
    ) -> int:
        place, sent = urlsplit(self.endpoint or ""), body.encode()
        head = (
            f"POST {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n"
            f"Stripe-Signature: {signature(body, self.secret)}\r\n\r\n"
        )
        writer.write(head.encode() + sent)
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        length = re.search(rb"content-length: (\d+)", answer, re.IGNORECASE)
        await reader.readexactly(int(length[1]) if length else 0)
        return int(answer.split()[1])


def signature(body: str, secret: str, at: int | None = None) -> str:
    """The header ``Stripe-Signature`` of scheme v1."""
    at = int(time.time()) if at is None else at
    signed = hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256)
    return f"t={at},v1={signed.hexdigest()}"


def decode(form: str) -> Object:
    """``items[0][price]=x`` as ``{"items": [{"price": "x"}]}``."""
    decoded: Object = {}
    for name, value in parse_qsl(form, keep_blank_values=True):
        first, *rest = re.findall(r"[^\[\]]+", name)
        keys, place = [first, *rest], decoded
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = value
    return {key: _lists(value) for key, value in decoded.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _lists(inner) for key, inner in value.items()}


@dataclass
class Api:
    """Requests, answered from the books."""

    key: str
    books: Books
    deliveries: Deliveries
    faults: Faults
    choice: random.Random
    kept: dict[str, tuple[str, float, int, Object]] = field(default_factory=dict)

    async def answer(self, request: Request) -> JSONResponse:
        """Any request of the API."""
        body = (await request.body()).decode()
        form = body if request.method != "GET" else request.url.query
        status, answered, replayed = self.ask(
            request.method, request.url.path, form, request.headers
        )
        late = request.method == "POST" and not replayed
        if late and self.choice.random() < self.faults.late_answers:
            await asyncio.sleep(self.faults.late_answer_s)
        return JSONResponse(answered, status, {"Idempotent-Replayed": "true"} if replayed else None)

    def ask(self, method: str, path: str, form: str, headers: Any) -> tuple[int, Object, bool]:
        """Status, body, and whether it was answered before."""
        if headers.get("authorization") != f"Bearer {self.key}":
            message = "Invalid API Key provided"
            return 401, {"error": {"type": "invalid_request_error", "message": message}}, False
        key = headers.get("idempotency-key") if method == "POST" else None
        if key is None:
            return *self._do(method, path, form), False
        print_ = hashlib.sha256(f"{path}?{form}".encode()).hexdigest()
        earlier = self.kept.get(key)
        if earlier and earlier[1] > time.time() - DAY:
            if earlier[0] != print_:
                message = f"Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '{key}' if you meant to execute a different request."  # noqa: E501
                return 400, {"error": {"type": "idempotency_error", "message": message}}, False
            return earlier[2], earlier[3], True
        status, answered = self._do(method, path, form)
        answered = json.loads(json.dumps(answered))
        self.kept[key] = (print_, time.time(), status, answered)
        return status, answered, False

    def _do(self, method: str, path: str, form: str) -> tuple[int, Object]:
        try:
            for verb, pattern, act in self._routes():
                if verb == method and (found := re.fullmatch(pattern, path)):
                    made = act(*found.groups(), decode(form))
                    return 200, {k: v for k, v in made.items() if not k.startswith("_")}
        except Refusal as refusal:
            return refusal.status, {"error": refusal.error}
        except KeyError as missing:
            message = f"Missing required param: {missing.args[0]}."
            return 400, {"error": {"type": "invalid_request_error", "message": message}}
        message = f"Unrecognized request URL ({method}: {path})."
        return 404, {"error": {"type": "invalid_request_error", "message": message}}

    def _routes(self) -> list[tuple[str, str, Callable[..., Object]]]:
        books, one = self.books, r"/([\w]+)"
        return [
            ("POST", "/v1/products", books.create_product),
            ("POST", "/v1/prices", books.create_price),
            ("POST", "/v1/customers", books.create_customer),
            ("POST", f"/v1/customers{one}", books.update_customer),
            ("GET", f"/v1/customers{one}", lambda key, _: books.get("customer", key)),
            ("GET", f"/v1/subscriptions{one}", lambda key, _: books.get("subscription", key)),
            ("POST", f"/v1/payment_methods{one}/attach", books.attach),
            ("POST", "/v1/subscriptions", books.create_subscription),
            ("POST", f"/v1/subscriptions{one}", books.update_subscription),
            ("DELETE", f"/v1/subscriptions{one}", books.cancel_subscription),
            ("POST", "/v1/subscription_schedules", books.schedule),
            ("POST", f"/v1/subscription_schedules{one}", books.plan),
            ("POST", "/v1/invoices/create_preview", books.preview),
            ("POST", f"/v1/invoices{one}/pay", books.pay_invoice),
            ("POST", "/v1/refunds", books.refund),
            ("POST", "/v1/test_helpers/test_clocks", books.create_clock),
            ("POST", f"/v1/test_helpers/test_clocks{one}/advance", books.advance),
            ("GET", f"/v1/test_helpers/test_clocks{one}",
             lambda key, _: books.get("test_helpers.test_clock", key)),
            ("POST", "/v1/webhook_endpoints", self._endpoint),
            ("GET", "/v1/(prices|subscriptions|invoices|payment_intents)", self._list),
            ("GET", "/v1/events", lambda given: self._page(books.events[::-1], given)),
        ]  # fmt: skip

    def _endpoint(self, given: Object) -> Object:
        self.deliveries.endpoint = given["url"]
        made = self.books.add("we", "webhook_endpoint", None, url=given["url"], status="enabled")
        return made | {"secret": self.deliveries.secret}

    def _list(self, kind: str, given: Object) -> Object:
        found = self.books.all(kind.removesuffix("s"), given.get("customer"))
        if "data.customer" in given.get("expand", []):
            found = [o | {"customer": self.books.get("customer", o["customer"])} for o in found]
        if "lookup_keys" in given:
            found = [o for o in found if o["lookup_key"] in given["lookup_keys"]]
        return self._page(found, given)

    def _page(self, found: list[Object], given: Object) -> Object:
        """Up to ``limit`` after ``starting_after``."""
        limit, after = int(given.get("limit", 10)), given.get("starting_after")
        begins = next((i + 1 for i, o in enumerate(found) if o["id"] == after), 0)
        page = [
            {k: v for k, v in o.items() if not k.startswith("_")}
            for o in found[begins : begins + limit]
        ]
        more = len(found) > begins + limit
        return {"object": "list", "data": page, "has_more": more, "url": "/v1"}


def main() -> None:
    """Argument: the faults, as JSON with a ``seed``."""
    given = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    choice = random.Random(given.pop("seed", 1))
    faults, current = Faults(**given), settings.load()
    deliveries = Deliveries(current.stripe_webhook_secret or "", faults, choice)
    api = Api(current.stripe_api_key or "", Books(tell=deliveries.tell), deliveries, faults, choice)

    async def left(_: Request) -> JSONResponse:
        return JSONResponse({"pending": deliveries.pending, **deliveries.counts})

    methods = ["GET", "POST", "DELETE"]
    app = Starlette(
        routes=[
            Route("/deliveries", left),
            Route("/v1/{path:path}", api.answer, methods=methods),
        ]
    )
    serve(app, [deliveries.work for _ in range(DELIVERERS)])


def serve(app: Starlette, beside: list[Callable[[], Any]] | None = None) -> None:
    """Run an app on a free port until its starter is gone, with tasks beside."""
    with socket.create_server((services.HOST, 0), backlog=512) as listening:
        # Or the rest of each answer waits for 40 ms for the other's acknowledgement.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="critical", access_log=False, timeout_graceful_shutdown=1)
        )
        services.when_abandoned(lambda: setattr(server, "should_exit", True))
        services.announce(listening.getsockname()[1])

        async def run() -> None:
            tasks = [asyncio.create_task(work()) for work in beside or []]
            await server.serve(sockets=[listening])
            for task in tasks:
                task.cancel()

        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            runner.run(run())


if __name__ == "__main__":
    main()

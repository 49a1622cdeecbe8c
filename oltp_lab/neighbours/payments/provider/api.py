"""The provider's API over HTTP: forms, keys of idempotency, lists by pages, faults as asked for."""

import asyncio
import hashlib
import json
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse

from oltp_lab.neighbours.payments.provider.books import Books
from oltp_lab.neighbours.payments.provider.deliveries import Deliveries, Faults
from oltp_lab.neighbours.payments.provider.store import DAY, Object, Refusal, shown


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
    late: int = 0

    async def answer(self, request: Request) -> JSONResponse:
        """Any request of the API."""
        body = (await request.body()).decode()
        form = body if request.method != "GET" else request.url.query
        status, answered, replayed = self.ask(
            request.method, request.url.path, form, request.headers
        )
        late = request.method != "GET" and not replayed
        if late and self.choice.random() < self.faults.late_answers:
            self.late += 1
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
            for verb, pattern, act in self._routes:
                if verb == method and (found := re.fullmatch(pattern, path)):
                    made = act(*found.groups(), decode(form))
                    return 200, {**made, "url": path} if made["object"] == "list" else shown(made)
        except Refusal as refusal:
            return refusal.status, {"error": refusal.error}
        except KeyError as missing:
            message = f"Missing required param: {missing.args[0]}."
            return 400, {"error": {"type": "invalid_request_error", "message": message}}
        message = f"Unrecognized request URL ({method}: {path})."
        return 404, {"error": {"type": "invalid_request_error", "message": message}}

    @cached_property
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
            ("GET", f"/v1/(invoice|subscription|charge)s{one}/(lines|items|refunds)", self._part),
            ("POST", "/v1/payment_intents", books.charge),
            ("POST", "/v1/refunds", books.refund),
            ("POST", "/v1/test_helpers/test_clocks", books.create_clock),
            ("POST", f"/v1/test_helpers/test_clocks{one}/advance", books.advance),
            ("GET", f"/v1/test_helpers/test_clocks{one}",
             lambda key, _: books.get("test_helpers.test_clock", key)),
            ("POST", "/v1/webhook_endpoints", self._endpoint),
            ("GET", "/v1/(customers|prices|subscriptions|invoices|payment_intents)", self._list),
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
        if "test_clock" in given:
            found = [o for o in found if o["test_clock"] == given["test_clock"]]
        if "lookup_keys" in given:
            found = [o for o in found if o["lookup_key"] in given["lookup_keys"]]
        return self._page(found, given)

    def _part(self, kind: str, key: str, name: str, given: Object) -> Object:
        return self._page(self.books.get(kind, key)[name]["data"], given)

    def _page(self, found: list[Object], given: Object) -> Object:
        """Up to ``limit`` after ``starting_after``."""
        limit, after = int(given.get("limit", 10)), given.get("starting_after")
        begins = next((i + 1 for i, o in enumerate(found) if o["id"] == after), 0)
        page = [shown(o) for o in found[begins : begins + limit]]
        more = len(found) > begins + limit
        return {"object": "list", "data": page, "has_more": more}

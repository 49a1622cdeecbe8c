"""What the provider keeps: objects and events, as Stripe's API answers them to the lab.

Objects are dicts; what begins with an underscore is the provider's own business. Money is cents,
time is seconds.
"""

import itertools
import json
import secrets
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import stripe

Object = dict[str, Any]
API_VERSION = stripe.api_version
HOUR, DAY = 3600, 86400
EMBEDDED = 10
"""So many of a list that an object holds are told with it; the rest is paged through."""


class Refusal(Exception):  # noqa: N818
    """An error as Stripe answers it."""

    def __init__(self, status: int, kind: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"type": kind, "message": message, **more}


@dataclass
class Store:
    """Objects by id, and what was told of them; one thread at a time."""

    objects: dict[str, Object] = field(default_factory=dict)
    of_customer: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    events: list[Object] = field(default_factory=list)
    tell: Callable[[Object], object] = lambda _: None
    _numbers: itertools.count = field(default_factory=itertools.count)
    _mark: str = field(default_factory=lambda: secrets.token_hex(4))

    def get(self, kind: str, key: Any) -> Object:
        """Raises Refusal when there is none."""
        found = self.objects.get(str(key))
        if not found or found["object"] != kind:
            message = f"No such {kind.replace('_', ' ')}: '{key}'"
            raise Refusal(404, "invalid_request_error", message, code="resource_missing")
        return found

    def all(self, kind: str, customer: str | None = None) -> list[Object]:
        """Newest first."""
        keys = self.of_customer.get(customer, []) if customer else list(self.objects)
        return [o for k in reversed(keys) if (o := self.objects[k])["object"] == kind]

    def now(self, customer: str | None) -> int:
        """By the customer's test clock, if it has one."""
        clock = customer and self.get("customer", customer)["test_clock"]
        return self.get("test_helpers.test_clock", clock)["frozen_time"] if clock else seconds()

    def add(self, prefix: str, kind: str, customer: str | None, **more: Any) -> Object:
        """A new object."""
        key = f"{prefix}_{self._mark}{next(self._numbers):08x}"
        made = {"id": key, "object": kind, "livemode": False, "metadata": {}, **more}
        if customer:
            made["customer"] = customer
            self.of_customer[customer].append(key)
        self.objects[key] = made
        return made

    def emit(self, kind: str, about: Object) -> None:
        """An event, with the object as it is now."""
        customer = about["id"] if about["object"] == "customer" else about["customer"]
        self.events.append(
            {
                "id": f"evt_{self._mark}{next(self._numbers):08x}",
                "object": "event",
                "api_version": API_VERSION,
                "created": self.now(customer),
                "livemode": False,
                "type": kind,
                "data": {"object": json.loads(json.dumps(shown(about)))},  # as it is now
            }
        )
        self.tell(self.events[-1])


def shown(of: Object) -> Object:
    """As it is answered: long lists begin only."""
    return {k: _shown_in(of, k, v) for k, v in of.items() if not k.startswith("_")}


def _shown_in(of: Object, name: str, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value.get("object") != "list":
        return shown(value)
    return {
        **value,
        "data": [shown(o) for o in value["data"][:EMBEDDED]],
        "has_more": len(value["data"]) > EMBEDDED,
        "url": f"/v1/{of['object']}s/{of['id']}/{name}" if "id" in of else "/v1",
    }


def listed(data: list[Object]) -> Object:
    """A list as an object holds it."""
    return {"object": "list", "data": data, "has_more": False, "url": "/v1"}


def seconds() -> int:
    """Now, where there is no test clock."""
    return int(time.time())

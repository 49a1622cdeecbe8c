"""The provider as a service: run by ``services.running``, with its secrets by the environment."""

import json
import random
import sys

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from oltp_lab import settings
from oltp_lab.neighbours.payments.provider.api import Api
from oltp_lab.neighbours.payments.provider.books import Books
from oltp_lab.neighbours.payments.provider.deliveries import DELIVERERS, Deliveries, Faults
from oltp_lab.neighbours.payments.serving import serve


def main() -> None:
    """Argument: the faults, as JSON with a ``seed``."""
    given = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    choice = random.Random(given.pop("seed", 1))
    faults, current = Faults(**given), settings.load()
    deliveries = Deliveries(current.stripe_webhook_secret or "", faults, choice)
    api = Api(current.stripe_api_key or "", Books(tell=deliveries.tell), deliveries, faults, choice)

    async def left(_: Request) -> JSONResponse:
        return JSONResponse(
            {"pending": deliveries.pending, "late answers": api.late, **deliveries.counts}
        )

    methods = ["GET", "POST", "DELETE"]
    app = Starlette(
        routes=[
            Route("/deliveries", left),
            Route("/v1/{path:path}", api.answer, methods=methods),
        ]
    )
    serve(app, [deliveries.work for _ in range(DELIVERERS)])


if __name__ == "__main__":
    main()

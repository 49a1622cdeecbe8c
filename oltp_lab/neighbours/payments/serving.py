"""How the two HTTP services of payments are served: provider and receiver."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette

from oltp_lab.neighbours import services


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

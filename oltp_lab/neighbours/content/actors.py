"""Authors and reconcilers, each act in a process of its own that may be killed at any step.

``python -m oltp_lab.neighbours.content.actors`` takes orders and answers them, a line each; it has
everything imported, and forks a child for each order.
"""

import json
import mmap
import os
import signal
import sys
import time
import traceback
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, NoReturn
from uuid import UUID

import psycopg

from oltp_lab import settings as lab_settings
from oltp_lab.errors import LabError
from oltp_lab.neighbours.content import authoring, reconciler
from oltp_lab.neighbours.content.tiers import Session, Tiers
from oltp_lab.servers import Database, Server

ACTS = {
    "save": authoring.CREATED,
    "campaign": authoring.CREATED + authoring.STARTED,
    "update": authoring.CREATED,
    "delete": authoring.DELETED,
    "reconcile": reconciler.STEPS,
}
"""The steps at which each act can be killed."""
_LIMIT_S = 30
_ROOM = 2**14


@dataclass(frozen=True)
class Order:
    """An act, of a tenant's template where it needs one.

    It is killed when it reaches the step ``kill_at``, or after ``after_s`` seconds; ``pause_s`` is
    how long it dawdles with its content stored and nothing committed.
    """

    act: str
    tenant: str = ""
    template: str = ""
    kill_at: str | None = None
    after_s: float | None = None
    pause_s: float = 0
    lease_s: float = 1
    grace_s: float = 1


@dataclass(frozen=True)
class Outcome:
    """``killed``, ``whole``, ``refused`` (with the reason) or ``failed``, and the last step.

    A whole one has ``made``: the template, key and campaign that were acknowledged.
    """

    ended: str
    at: str
    made: dict[str, str | None]
    error: str = ""


def act(order: Order, tiers: Tiers, note: mmap.mmap) -> dict[str, Any]:
    """Do what was ordered; returns what was acknowledged."""

    def reached(step: str) -> None:
        note[:64] = step.encode().ljust(64)
        if step == order.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if step == "reserved":
            time.sleep(order.pause_s)

    grace, lease = timedelta(seconds=order.grace_s), timedelta(seconds=order.lease_s)
    if order.act == "reconcile":
        return dict(reconciler.reconcile(tiers, grace=grace, reached=reached).done)
    tenant, template = UUID(order.tenant), UUID(order.template) if order.template else None
    session = Session(tiers, tenant)
    if order.act == "delete" and template:
        authoring.delete(session, template, reached=reached)
        return {"template": order.template}
    body = f"<p>{order.act} {time.time_ns()}</p>".encode() * 40
    name = "Campaign" if order.act == "campaign" else None
    saved = authoring.save(
        session, tenant, body, template=template, campaign=name, lease=lease, reached=reached
    )
    made = {"template": saved.template, "key": saved.key, "campaign": saved.campaign}
    if saved.campaign:
        authoring.start(session, saved.campaign, reached=reached)
        if None in authoring.fetch(session, saved.campaign):
            raise AssertionError(f"campaign {saved.campaign} started without content")
    return {name: str(value) if value else None for name, value in made.items()}


def main() -> None:
    """Serve until the input ends."""
    oltp, oltp_name, content, content_name = sys.argv[1:]
    settings = lab_settings.load()
    tiers = Tiers(
        Database(Server("oltp", oltp, 0, "", settings), oltp_name),
        Database(Server("neighbours", content, 0, "", settings), content_name),
    )
    note = mmap.mmap(-1, _ROOM)
    for line in sys.stdin:
        print(json.dumps(asdict(_forked(Order(**json.loads(line)), tiers, note))), flush=True)


def _forked(order: Order, tiers: Tiers, note: mmap.mmap) -> Outcome:
    note[:] = bytes(_ROOM)
    child = os.fork()
    if not child:
        _child(order, tiers, note)
    _, status = os.waitpid(child, 0)
    at = note[:64].rstrip(b"\0 ").decode()
    if os.WIFSIGNALED(status):
        return Outcome("killed", at, {})
    told = json.loads(note[64:].rstrip(b"\0") or b"{}")
    ended = ("whole", "failed", "refused")[os.WEXITSTATUS(status)]
    if ended == "whole":
        return Outcome(ended, at, told)
    return Outcome(ended, at, {}, error=str(told))


def _child(order: Order, tiers: Tiers, note: mmap.mmap) -> NoReturn:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, _LIMIT_S if order.after_s is None else order.after_s)
    status, told = 1, {}
    try:
        told, status = act(order, tiers, note), 0
    except (LabError, psycopg.errors.ObjectNotInPrerequisiteState) as error:
        told, status = str(error).splitlines()[0], 2  # type: ignore[assignment]
    except BaseException:  # noqa: BLE001 - it must not return into the parent's loop
        told = traceback.format_exc()[-4000:]  # type: ignore[assignment]
    text = json.dumps(told).encode()
    note[64 : 64 + len(text)] = text
    os._exit(status)


if __name__ == "__main__":
    main()

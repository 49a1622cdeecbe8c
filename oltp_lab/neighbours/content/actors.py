"""Authors, reconcilers and purges, each act in a process of its own that may be killed at any step.

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
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, NoReturn
from uuid import UUID

import psycopg

from oltp_lab import settings as lab_settings
from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.neighbours.content import authoring, reconciler
from oltp_lab.neighbours.content.tiers import Reached, Session, Tiers
from oltp_lab.servers import Database, Server

ACTS = {
    "save": authoring.CREATED,
    "campaign": authoring.CREATED + authoring.STARTED,
    "update": authoring.CREATED,
    "delete": authoring.DELETED,
    "purge": ("tenant deleted", "rows purged", "tenant purged"),
    "reconcile": reconciler.STEPS,
}
"""The steps at which each act can be killed."""
_LIMIT_S = 30
_ROOM = 2**14
_STEP = 64  # of its bytes


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

    A whole one has ``made``: the template and key that were acknowledged, the campaign if one was;
    of a reconciler what it did.
    """

    ended: str
    at: str
    made: dict[str, Any]
    error: str = ""


def act(order: Order, tiers: Tiers, note: mmap.mmap) -> dict[str, Any]:
    """Do what was ordered; returns what was acknowledged."""

    def reached(step: str) -> None:
        note[:_STEP] = step.encode().ljust(_STEP)
        if step == order.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if step == "reserved":
            time.sleep(order.pause_s)

    if order.act == "reconcile":
        grace = timedelta(seconds=order.grace_s)
        return dict(reconciler.reconcile(tiers, grace=grace, reached=reached))
    if order.act == "purge":
        return _purge(tiers, order.tenant, reached)
    with closing(Session(tiers, UUID(order.tenant))) as session:
        return _author(session, order, reached)


def _author(session: Session, order: Order, reached: Reached) -> dict[str, Any]:
    template = UUID(order.template) if order.template else None
    if order.act == "delete" and template:
        authoring.delete(session, template, reached=reached)
        return {"template": order.template}
    saved = authoring.save(
        session,
        f"<p>{order.act} {time.time_ns()}</p>".encode() * 40,
        template=template,
        campaign="Campaign" if order.act == "campaign" else None,
        lease=timedelta(seconds=order.lease_s),
        reached=reached,
    )
    if saved.campaign:
        authoring.start(session, saved.campaign, reached=reached)
        if None in authoring.fetch(session, saved.campaign):
            raise AssertionError(f"campaign {saved.campaign} started without content")
    made = {"template": str(saved.template), "key": saved.key}
    return made | ({"campaign": str(saved.campaign)} if saved.campaign else {})


def _purge(tiers: Tiers, tenant: str, reached: Reached) -> dict[str, Any]:
    queries = sql.queries("neighbours/content/ordeal.sql")
    with tiers.oltp.connect("lab_platform", autocommit=True) as oltp:
        oltp.execute(queries["delete_tenant"], {"tenant": tenant})
        reached("tenant deleted")
        while oltp.execute(queries["purge"], {"tenant": tenant}).fetchone() != (True,):
            reached("rows purged")
        reached("tenant purged")
    return {"tenant": tenant}


def main() -> None:
    """Serve until the input ends."""
    oltp, oltp_name, content, content_name = sys.argv[1:]
    settings = lab_settings.load()
    tiers = Tiers(
        Database(Server("oltp", oltp, 0, "", settings), oltp_name),
        Database(Server("neighbours", content, 0, "", settings), content_name),
    )
    note = mmap.mmap(-1, _ROOM)  # outlives the child that writes it
    for line in sys.stdin:
        order = Order(**json.loads(line))
        print(json.dumps(asdict(_forked(order, lambda o=order: act(o, tiers, note), note))))
        sys.stdout.flush()


def _forked(order: Order, do: Callable[[], dict[str, Any]], note: mmap.mmap) -> Outcome:
    note[:] = bytes(_ROOM)
    child = os.fork()
    if not child:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, _LIMIT_S if order.after_s is None else order.after_s)
        _child(do, note)
    _, status = os.waitpid(child, 0)
    at = note[:_STEP].rstrip(b"\0 ").decode()
    if os.WIFSIGNALED(status):
        if order.after_s is None and os.WTERMSIG(status) == signal.SIGALRM:
            return Outcome("failed", at, {}, error=f"{order.act} hung after {at}")
        return Outcome("killed", at, {})
    ended, told = json.loads(note[_STEP:].rstrip(b"\0"))
    return Outcome(ended, at, told) if ended == "whole" else Outcome(ended, at, {}, error=told)


def _child(do: Callable[[], dict[str, Any]], note: mmap.mmap) -> NoReturn:
    told: tuple[str, Any]
    try:
        told = "whole", do()
    except (LabError, psycopg.errors.ObjectNotInPrerequisiteState) as error:
        told = "refused", str(error).splitlines()[0]
    except BaseException:  # noqa: BLE001 - it must not return into the parent's loop
        told = "failed", traceback.format_exc()[-4000:]
    text = json.dumps(told).encode()
    note[_STEP : _STEP + len(text)] = text
    os._exit(0)


if __name__ == "__main__":
    main()

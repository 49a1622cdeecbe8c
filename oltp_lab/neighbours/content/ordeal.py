"""The ordeal: authors and reconcilers at once, killed at every step; at last the oracle.

On databases of its own, which are gone afterwards.
"""

import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from oltp_lab import servers, sql
from oltp_lab.neighbours import schema as neighbouring
from oltp_lab.neighbours.content import reconciler
from oltp_lab.neighbours.content.actors import ACTS, Order, Outcome
from oltp_lab.neighbours.content.reconciler import Fault
from oltp_lab.neighbours.content.tiers import Tiers
from oltp_lab.schema import build
from oltp_lab.servers import databases, processes
from oltp_lab.settings import Settings

DAMAGE = {"restored", "missing noted", "found noted"}
"""Steps of a reconciler that it comes to only where content was lost or marked by mistake."""
POINTS = [(act, step) for act, steps in ACTS.items() for step in steps if step not in DAMAGE]
"""Every other kill point, as (act, step)."""
_PROGRAM = (sys.executable, "-m", "oltp_lab.neighbours.content.actors")
_WEIGHTS = {"save": 4, "campaign": 3, "update": 4, "delete": 3, "reconcile": 2}
_NEED_TEMPLATE = {"update", "delete"}
_AT_STEP, _UNHURT = 0.45, 0.85  # shares: up to here at a step, up to there at a moment
_LONGEST_S = 0.06
_LATE = 0.05  # share of authors that dawdle beyond lease and grace
_ROUNDS = 3  # passes that recovery has


@dataclass(frozen=True)
class Extent:
    """How much is done: ``kills`` at random, or (0) each kill point once, by one writer."""

    kills: int = 0
    writers: int = 3
    tenants: int = 4
    lease_s: float = 0.4
    grace_s: float = 0.2
    seed: int = 1
    reconciles: bool = True


@dataclass
class Judged:
    """What an ordeal found: the oracle's faults, what was acknowledged and is not there, counts."""

    faults: list[Fault] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    left_of_purged: int = 0
    done: Counter[tuple[str, str]] = field(default_factory=Counter)
    killed_at: Counter[tuple[str, str]] = field(default_factory=Counter)
    healed: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def kills(self) -> int:
        """Processes killed."""
        return self.killed_at.total()

    def number(self, kind: str) -> int:
        """How many faults of a kind."""
        return sum(fault.number for fault in self.faults if fault.kind == kind)

    def failures(self) -> list[str]:
        """What is wrong, in sentences."""
        told = [*reconciler.told(self.faults), *self.errors[:3]]
        if self.lost:
            told.append(f"{len(self.lost)} acknowledged and gone: {', '.join(self.lost[:3])}")
        if self.left_of_purged:
            told.append(f"{self.left_of_purged} objects left of a purged tenant")
        return told

    @property
    def headline(self) -> str:
        """How much it went through, and what came of it."""
        return (
            f"{self.kills:,} processes killed at {len(self.killed_at)} steps: "
            f"{self.number('dangling')} dangling, {self.number('orphan')} orphans, "
            f"{len(self.lost)} lost, in {self.seconds:,.1f} s"
        )

    def rows(self) -> list[dict[str, Any]]:
        """As measurements have it."""
        common = {"seconds": self.seconds}
        faults = {fault.kind: fault.number for fault in self.faults} | {"lost": len(self.lost)}
        return [
            *({"kind": "fault", "name": k, "step": "", "times": n} | common
              for k, n in faults.items()),
            *(
                {"kind": "killed", "name": act, "step": step, "times": n} | common
                for (act, step), n in sorted(self.killed_at.items())
            ),
            *(
                {"kind": "ended", "name": act, "step": ended, "times": n} | common
                for (act, ended), n in sorted(self.done.items())
            ),
            *({"kind": "healed", "name": k, "step": "", "times": n} | common
              for k, n in sorted(self.healed.items())),
        ]  # fmt: skip


@contextmanager
def scene(settings: Settings) -> Iterator[Tiers]:
    """Both databases, new and empty, dropped afterwards."""
    with (
        databases.temporary(servers.oltp(settings)) as oltp,
        databases.temporary(servers.neighbours(settings, "content")) as content,
    ):
        build.ensure(oltp)
        neighbouring.ensure(content, "content")
        yield Tiers(oltp, content)


def run(settings: Settings, extent: Extent) -> Judged:
    """Do it, and judge. Raises LabError when a server is not to be had."""
    began = time.monotonic()
    with scene(settings) as tiers:
        judged = on(tiers, extent)
    judged.seconds = time.monotonic() - began
    return judged


def on(tiers: Tiers, extent: Extent) -> Judged:
    """The same on a scene that there is."""
    began = time.monotonic()
    judged = _Ordeal(tiers, extent).run()
    judged.seconds = time.monotonic() - began
    return judged


def add_tenants(tiers: Tiers, number: int) -> list[UUID]:
    """Make tenants that may have campaigns."""
    queries = sql.queries("neighbours/content/ordeal.sql")
    made: list[UUID] = []
    with tiers.oltp.connect("lab_platform") as connection:
        for _ in range(number):
            (tenant,) = connection.execute(queries["tenant"]).fetchone() or (UUID(int=0),)
            connection.execute(queries["subscribe"], {"tenant": tenant})
            made.append(tenant)
    return made


class Actor:
    """One program that carries out orders, one at a time."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child

    def do(self, order: Order) -> Outcome:
        assert self._child.stdin and self._child.stdout
        self._child.stdin.write(json.dumps(asdict(order)) + "\n")
        self._child.stdin.flush()
        return Outcome(**json.loads(self._child.stdout.readline()))


class _Ordeal:
    def __init__(self, tiers: Tiers, extent: Extent) -> None:
        self._tiers, self._extent = tiers, extent
        self._judged = Judged()
        self._lock = threading.Lock()
        self._kept: dict[str, str] = {}  # acknowledged keys, with their template
        self._points = [] if extent.kills else list(POINTS)
        self._queries: dict[str, Any] = sql.queries("neighbours/content/ordeal.sql")

    def run(self) -> Judged:
        tenants = list(map(str, add_tenants(self._tiers, self._extent.tenants + 1)))
        doomed, tenants = tenants[0], tenants[1:]
        limit = 120 + self._extent.kills
        with ExitStack() as stack:
            writers = self._extent.writers if self._extent.kills else 1
            actors = [stack.enter_context(self._actor(limit)) for _ in range(writers)]
            self._fill(actors[0], doomed)
            threads = [
                threading.Thread(target=self._write, args=(actor, tenants, number))
                for number, actor in enumerate(actors)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self._purge(doomed)
            self._recover(actors[0])
        self._judge(doomed)
        return self._judged

    def _write(self, actor: Actor, tenants: list[str], number: int) -> None:
        rng = random.Random(f"{self._extent.seed} {number}")
        templates: dict[str, str] = {}  # its own that no campaign has, and whose they are
        try:
            while order := self._next(rng, tenants, templates):
                if order.act == "reconcile" and not self._extent.kills:
                    self._leave(actor, tenants[0])
                self._note(order, actor.do(order), templates)
        except Exception as error:  # noqa: BLE001 - of a thread; the judge reports it
            self._judged.errors.append(repr(error))

    def _next(
        self, rng: random.Random, tenants: list[str], templates: dict[str, str]
    ) -> Order | None:
        """What a writer does next; what cannot be done yet becomes a save."""
        extent, tenant = self._extent, rng.choice(tenants)
        drawn = self._drawn(rng) if extent.kills else self._point(templates)
        if drawn is None:
            return None
        act, step, after_s = drawn
        if act in _NEED_TEMPLATE and templates:
            template = rng.choice(sorted(templates))
            order = replace(self._order(act, templates[template]), template=template)
        elif act == "reconcile" and extent.reconciles:
            order = self._order(act)
        elif act in _NEED_TEMPLATE or act == "reconcile":
            return self._order("save", tenant)
        else:
            late = extent.kills and rng.random() < _LATE
            pause_s = extent.lease_s + 4 * extent.grace_s if late else 0
            order = replace(self._order(act, tenant), pause_s=pause_s)
        return replace(order, kill_at=step, after_s=after_s)

    def _drawn(self, rng: random.Random) -> tuple[str, str | None, float | None] | None:
        """An act at random, killed at a step, at a moment, or not at all."""
        with self._lock:
            if self._judged.kills >= self._extent.kills:
                return None
        act = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        chance = rng.random()
        step = rng.choice(ACTS[act]) if chance < _AT_STEP else None
        return act, step, rng.uniform(0, _LONGEST_S) if _AT_STEP <= chance < _UNHURT else None

    def _point(self, templates: dict[str, str]) -> tuple[str, str | None, float | None] | None:
        """The next kill point, once there is what it needs."""
        if not self._points:
            return None
        if self._points[0][0] in _NEED_TEMPLATE and not templates:
            return "save", None, None
        return *self._points.pop(0), None

    def _order(self, act: str, tenant: str = "") -> Order:
        return Order(act, tenant, lease_s=self._extent.lease_s, grace_s=self._extent.grace_s)

    def _leave(self, actor: Actor, tenant: str) -> None:
        """Something of everything that a reconciler finds."""
        deaths = (("save", "reserved"), ("save", "committed"), ("delete", "template deleted"))
        for act, step in (*deaths, ("delete", None)):
            template = ""
            if act == "delete":
                template = actor.do(self._order("save", tenant)).made["template"] or ""
            order = replace(self._order(act, tenant), template=template, kill_at=step)
            self._note(order, actor.do(order), {})
        time.sleep(self._extent.lease_s + self._extent.grace_s)

    def _note(self, order: Order, outcome: Outcome, templates: dict[str, str]) -> None:
        with self._lock:
            self._judged.done[order.act, outcome.ended] += 1
            if outcome.ended == "killed":
                self._judged.killed_at[order.act, outcome.at] += 1
            if outcome.ended == "failed":
                self._judged.errors.append(outcome.error)
            if order.act == "reconcile":
                self._judged.healed.update(outcome.made)  # type: ignore[arg-type]
                return
            if order.act == "delete":  # whatever it came to, nobody counts on it any more
                templates.pop(order.template, None)
                for key in [k for k, t in self._kept.items() if t == order.template]:
                    del self._kept[key]
            elif outcome.ended == "whole":
                template, key = outcome.made["template"] or "", outcome.made["key"] or ""
                self._kept[key] = template
                if not outcome.made["campaign"]:
                    templates[template] = order.tenant

    def _recover(self, actor: Actor) -> None:
        """Whatever was left has its lease and its grace, and the reconciler its passes."""
        extent = self._extent
        if not extent.reconciles:
            time.sleep(extent.lease_s + extent.grace_s)
            return
        for _ in range(_ROUNDS):
            time.sleep(extent.lease_s + extent.grace_s)
            order = self._order("reconcile")
            self._note(order, actor.do(order), {})

    def _judge(self, doomed: str) -> None:
        grace = timedelta(seconds=self._extent.grace_s)
        self._judged.faults = reconciler.judge(self._tiers, grace=grace)
        with (
            self._tiers.oltp.connect("lab_platform") as oltp,
            self._tiers.content.connect("lab_platform") as content,
        ):
            (held,) = oltp.execute(self._queries["kept"]).fetchone() or ([],)
            self._judged.lost = sorted(self._kept.keys() - set(held or []))
            left = content.execute(self._queries["objects_of"], {"tenant": doomed}).fetchone()
            self._judged.left_of_purged = left[0] if left and self._extent.reconciles else 0

    def _fill(self, actor: Actor, tenant: str) -> None:
        """A tenant with some content that is purged in the end."""
        for act in ("save", "campaign"):
            self._judged.done[act, actor.do(Order(act, tenant)).ended] += 1

    def _purge(self, tenant: str) -> None:
        with self._tiers.oltp.connect("lab_platform", autocommit=True) as connection:
            connection.execute(self._queries["delete_tenant"], {"tenant": tenant})
            while connection.execute(self._queries["purge"], {"tenant": tenant}).fetchone() != (
                True,
            ):
                pass

    @contextmanager
    def _actor(self, limit: float) -> Iterator[Actor]:
        oltp, content = self._tiers.oltp, self._tiers.content
        arguments = [
            *_PROGRAM, oltp.server.conninfo, oltp.name, content.server.conninfo, content.name,
        ]  # fmt: skip
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with processes.spawn(oltp.server.settings, arguments, limit=limit, **pipes) as child:
            assert child.stdin and child.stdout
            with child.stdin, child.stdout:
                yield Actor(child)

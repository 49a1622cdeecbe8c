"""The ordeal: authors, purges and reconcilers killed at every step; at last the oracle.

On databases of its own, which are gone afterwards.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.sql import SQL, Identifier

from oltp_lab import servers, sql
from oltp_lab.errors import LabError
from oltp_lab.neighbours import schema as neighbouring
from oltp_lab.neighbours.content import oracle, reconciler
from oltp_lab.neighbours.content.actors import ACTS, Order, Outcome
from oltp_lab.neighbours.content.ledger import Ledger
from oltp_lab.neighbours.content.tiers import Tiers
from oltp_lab.schema import build
from oltp_lab.servers import Database, databases, embedded, processes
from oltp_lab.settings import Settings

POINTS = [(act, step) for act, steps in ACTS.items() for step in steps]
"""Every kill point, as (act, step)."""
DAMAGE = ("marked", "lost", "unconfirmed")
"""What an operator may do to content by mistake: marked for deletion, lost, its uses forgotten."""
VICTIMS = ("postmaster", "backend")

_PROGRAM = (sys.executable, "-m", "oltp_lab.neighbours.content.actors")
_WEIGHTS = {
    "save": 4, "campaign": 3, "update": 4, "delete": 3, "reconcile": 2, "purge": 0.5, "damage": 1,
}  # fmt: skip
_NEED_TEMPLATE = {"update", "delete", "damage"}
_AT_STEP, _UNHURT = 0.45, 0.85  # shares: up to here at a step, up to there at a moment
_LONGEST_S = 0.06
_PUT_BACK = 0.25  # share of an operator's acts
_LATE = 0.05  # share of authors that dawdle beyond lease and grace
_PASSES = 8  # that recovery has at most
_START_LIMIT_S = 60
_BETWEEN_CRASHES_S = (0.5, 2.0)


@dataclass(frozen=True)
class Extent:
    """How much is done: ``kills`` at random, or (0) each kill point once, by one writer.

    ``crashes``: how often the content server itself is killed meanwhile.
    """

    kills: int = 0
    crashes: int = 0
    writers: int = 3
    tenants: int = 4
    lease_s: float = 0.4
    grace_s: float = 0.2
    seed: int = 1
    reconciles: bool = True


@contextmanager
def scene(settings: Settings, *, to_crash: bool = False) -> Iterator[Tiers]:
    """Both databases, new and empty, dropped afterwards.

    ``to_crash``: the content database has a server of its own, whose commits are durable.
    """
    with ExitStack() as stack:
        oltp = stack.enter_context(databases.temporary(servers.oltp(settings)))
        beside = (
            stack.enter_context(servers.throwaway(settings, "the ordeal of the content database"))
            if to_crash
            else servers.neighbours(settings, "content")
        )
        content = stack.enter_context(databases.temporary(beside))
        if to_crash:
            durable = SQL("alter database {} set synchronous_commit = on")
            with content.server.administer() as administrator:
                administrator.execute(durable.format(Identifier(content.name)))
        build.ensure(oltp)
        neighbouring.ensure(content, "content")
        yield Tiers(oltp, content)


def run(tiers: Tiers, extent: Extent) -> Ledger:
    """Do it on this scene, and judge. Raises LabError when a server is not to be had."""
    began = time.monotonic()
    ledger = _Ordeal(tiers, extent).run()
    ledger.seconds = time.monotonic() - began
    return ledger


def add_tenants(tiers: Tiers, number: int) -> list[UUID]:
    """Make tenants that may have campaigns."""
    made: list[UUID] = []
    with tiers.oltp.connect("lab_platform") as connection:
        for _ in range(number):
            (tenant,) = connection.execute(_queries()["tenant"]).fetchone() or (UUID(int=0),)
            connection.execute(_queries()["subscribe"], {"tenant": tenant})
            made.append(tenant)
    return made


def crash(database: Database, victim: str) -> float:
    """Kill -9 one of VICTIMS of its embedded server; returns seconds until it answers again.

    Who kills a backend brings down all of them: the server recovers before it takes sessions.
    Raises LabError when the server is given, or is not back within a minute.
    """
    cluster = database.server.cluster
    postmaster = embedded.postmaster(cluster) if cluster else None
    if postmaster is None:
        raise LabError(f"{database.server.where} is not ours to kill")
    with database.connect(autocommit=True) as session:
        os.kill(postmaster if victim == "postmaster" else session.info.backend_pid, signal.SIGKILL)
    began = time.monotonic()
    while True:
        time.sleep(0.02)
        try:
            database.connect().close()
            return time.monotonic() - began
        except LabError:
            if time.monotonic() - began > _START_LIMIT_S:
                raise


class _Actor:
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
        self.tiers, self.extent = tiers, extent
        self.ledger = Ledger()
        self.tenants = [str(tenant) for tenant in add_tenants(tiers, extent.tenants)]
        self._crashed = threading.Event()

    def run(self) -> Ledger:
        with self.tiers.content.connect(autocommit=True) as administrator:
            administrator.execute(_queries()["backup"])
        with ExitStack() as stack:
            writers = self.extent.writers if self.extent.kills else 1
            actors = [stack.enter_context(self._actor()) for _ in range(writers)]
            if self.extent.kills:
                self._storm(actors)
            else:
                self._sweep(actors[0])
            self._recover(actors[0])
        self._judge()
        return self.ledger

    def goes_on(self) -> bool:
        """Until there were so many kills, and crashes."""
        return self.ledger.kills < self.extent.kills or not self._crashed.is_set()

    def do(self, actor: _Actor, act: str, tenant: str = "", **more: Any) -> Outcome:
        """Have an act carried out, and note how it ended."""
        extent = self.extent
        order = Order(act, tenant, lease_s=extent.lease_s, grace_s=extent.grace_s, **more)
        outcome = actor.do(order)
        self.ledger.note(order, outcome)
        return outcome

    def damage(self, kind: str, tenant: str, template: str) -> None:
        """Do one of DAMAGE to what a template says."""
        named = {"tenant": tenant, "template": template}
        with self.tiers.worker() as (oltp, content):
            (keys,) = oltp.execute(_queries()["keys"], named).fetchone() or ([],)
            content.execute(_queries()[kind], named | {"keys": keys or []})
        self.ledger.damaged[kind] += 1

    def put_back(self) -> None:
        """Store again all that was lost."""
        with self.tiers.worker() as (_, content):
            content.execute(_queries()["put_back"])

    def _sweep(self, actor: _Actor) -> None:
        """Each kill point once; an act goes on from where it was killed before."""
        tenant, doomed = self.tenants[:2]
        for owner in (doomed, tenant):
            saved = [self.do(actor, "save", owner).made["template"] for _ in range(6)]
        some, other, unused, *damaged = saved
        for act, step in POINTS:
            if act == "purge":
                self.ledger.doom(doomed)
            if (act, step) == ("reconcile", reconciler.STEPS[0]):
                for kind, template in zip(DAMAGE, damaged, strict=False):
                    self.damage(kind, tenant, template)
                self.damage("unconfirmed", tenant, unused)
                self.do(actor, "delete", tenant, template=unused, kill_at="template deleted")
                time.sleep(self.extent.lease_s + self.extent.grace_s)
            if step == "found noted":
                self.put_back()
            template = other if step == "marked" else some if act in _NEED_TEMPLATE else ""
            owner = doomed if act == "purge" else tenant
            self.do(actor, act, owner, template=template, kill_at=step)

    def _storm(self, actors: list[_Actor]) -> None:
        """Acts at random, of all actors at once, while the server crashes."""
        work = [_Writer(self, actor, number).run for number, actor in enumerate(actors)]
        threads = [threading.Thread(target=target) for target in (*work, self._crash)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _crash(self) -> None:
        rng = random.Random(self.extent.seed)
        try:
            for number in range(self.extent.crashes):
                time.sleep(rng.uniform(*_BETWEEN_CRASHES_S))
                victim = VICTIMS[number % len(VICTIMS)]
                crash(self.tiers.content, victim)
                self.ledger.crashes[victim] += 1
        except LabError as error:
            self.ledger.errors.append(str(error))
        finally:
            self._crashed.set()

    def _recover(self, actor: _Actor) -> None:
        """Purges end, what was lost is put back; all has its lease and grace, and its passes."""
        for tenant in self.ledger.doomed:
            self.do(actor, "purge", tenant)
        self.put_back()
        time.sleep(self.extent.lease_s + self.extent.grace_s)
        for _ in range(_PASSES if self.extent.reconciles else 0):
            if not sum(self.do(actor, "reconcile").made.values()):
                break
            time.sleep(self.extent.grace_s)

    def _judge(self) -> None:
        faults = oracle.judge(self.tiers, grace=timedelta(seconds=self.extent.grace_s))
        with self.tiers.worker() as (oltp, content):
            (held,) = oltp.execute(_queries()["held"]).fetchone() or ([],)
            doomed = {"tenants": sorted(self.ledger.doomed)}
            (left,) = content.execute(_queries()["left"], doomed).fetchone() or (0,)
        self.ledger.judge(faults, set(held or []), left if self.extent.reconciles else 0)

    @contextmanager
    def _actor(self) -> Iterator[_Actor]:
        oltp, content = self.tiers.oltp, self.tiers.content
        arguments = [
            *_PROGRAM, oltp.server.conninfo, oltp.name, content.server.conninfo, content.name,
        ]  # fmt: skip
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        limit = 120 + self.extent.kills + 10 * self.extent.crashes
        with processes.spawn(oltp.server.settings, arguments, limit=limit, **pipes) as child:
            assert child.stdin and child.stdout
            with child.stdin, child.stdout:
                yield _Actor(child)


class _Writer:
    """Has acts carried out at random; the templates that it made and no campaign has are its own,
    so that it knows what is owed."""

    def __init__(self, ordeal: _Ordeal, actor: _Actor, number: int) -> None:
        self._ordeal, self._actor = ordeal, actor
        self._rng = random.Random(f"{ordeal.extent.seed} {number}")
        self._templates: dict[str, str] = {}  # and whose they are

    def run(self) -> None:
        try:
            while self._ordeal.goes_on():
                self._next()
        except Exception as error:  # noqa: BLE001 - of a thread; the judge reports it
            self._ordeal.ledger.errors.append(repr(error))

    def _next(self) -> None:
        """Draw an act; what cannot be done yet becomes a save."""
        rng, ordeal = self._rng, self._ordeal
        (act,) = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
        if act in _NEED_TEMPLATE and not self._templates:
            act = "save"
        tenant, template = rng.choice(ordeal.tenants), ""
        if act in _NEED_TEMPLATE:
            template, tenant = rng.choice(sorted(self._templates.items()))
        if act == "damage":
            with suppress(LabError, psycopg.OperationalError):  # the server may be down
                if rng.random() < _PUT_BACK:
                    ordeal.put_back()
                else:
                    ordeal.damage(rng.choice(DAMAGE), tenant, template)
            return
        if act == "purge" and ordeal.ledger.doom(tenant):  # one of those who purge it
            (new,) = add_tenants(ordeal.tiers, 1)
            ordeal.tenants[ordeal.tenants.index(tenant)] = str(new)
        outcome = ordeal.do(self._actor, act, tenant, template=template, **self._death(act))
        if act == "delete":
            del self._templates[template]
        elif act != "campaign" and (made := outcome.made.get("template")):
            self._templates[made] = tenant

    def _death(self, act: str) -> dict[str, Any]:
        """Killed at a step, at a moment, or not at all; some dawdle beyond lease and grace."""
        rng, extent, chance = self._rng, self._ordeal.extent, self._rng.random()
        if chance < _AT_STEP:
            return {"kill_at": rng.choice(ACTS[act])}
        if chance < _UNHURT:
            return {"after_s": rng.uniform(0, _LONGEST_S)}
        late = rng.random() < _LATE / (1 - _UNHURT)
        return {"pause_s": extent.lease_s + 4 * extent.grace_s} if late else {}


def _queries() -> dict[str, Any]:
    return sql.queries("neighbours/content/ordeal.sql")

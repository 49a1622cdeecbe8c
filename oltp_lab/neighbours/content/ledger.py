"""What an ordeal did and found: how each act ended, what was acknowledged, what is wrong."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from oltp_lab.neighbours.content import oracle
from oltp_lab.neighbours.content.actors import Order, Outcome
from oltp_lab.neighbours.content.oracle import Fault


@dataclass
class Ledger:
    """Written by all writers at once while it goes on; ``faults`` and ``lost`` by the judge.

    ``ended`` counts by act and how it ended, ``killed_at`` by act and step, ``crashes`` by what of
    the content server was killed, ``healed`` by what reconcilers did.
    """

    ended: Counter[tuple[str, str]] = field(default_factory=Counter)
    killed_at: Counter[tuple[str, str]] = field(default_factory=Counter)
    crashes: Counter[str] = field(default_factory=Counter)
    healed: Counter[str] = field(default_factory=Counter)
    damaged: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    doomed: set[str] = field(default_factory=set)
    kept: dict[str, Order] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    left_of_purged: int = 0
    seconds: float = 0.0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def kills(self) -> int:
        """Processes killed."""
        return self.killed_at.total()

    def note(self, order: Order, outcome: Outcome) -> None:
        """Count an act. What it acknowledged must be there until somebody means to remove it."""
        with self._guard:
            purged = order.tenant in self.doomed
            ended = "refused" if purged and outcome.ended == "failed" else outcome.ended
            if ended == "failed":
                self.errors.append(outcome.error)
            self.ended[order.act, ended] += 1
            if ended == "killed":
                self.killed_at[order.act, outcome.at] += 1
            if order.act == "reconcile":
                self.healed.update(outcome.made)
            elif order.act == "delete":  # whatever it came to, nobody counts on it any more
                of_template = [k for k, o in self.kept.items() if o.template == order.template]
                for key in of_template:
                    del self.kept[key]
            elif key := outcome.made.get("key"):
                self.kept[key] = Order(order.act, order.tenant, outcome.made["template"])

    def doom(self, tenant: str) -> bool:
        """From now on nobody counts on anything of this tenant; whether somebody still did."""
        with self._guard:
            first = tenant not in self.doomed
            self.doomed.add(tenant)
        return first

    def judge(self, faults: list[Fault], held: set[str], left_of_purged: int) -> None:
        """Compare with what the OLTP ``held`` in the end."""
        self.faults, self.left_of_purged = faults, left_of_purged
        owed = (key for key, order in self.kept.items() if order.tenant not in self.doomed)
        self.lost = sorted(set(owed) - held)

    def number(self, kind: str) -> int:
        """How many faults of a kind."""
        return sum(fault.number for fault in self.faults if fault.kind == kind)

    def failures(self) -> list[str]:
        """What is wrong, in sentences."""
        told = [*oracle.told(self.faults), *self.errors[:3]]
        if self.lost:
            told.append(f"{len(self.lost)} acknowledged and gone: {', '.join(self.lost[:3])}")
        if self.left_of_purged:
            told.append(f"{self.left_of_purged} objects left of purged tenants")
        return told

    @property
    def headline(self) -> str:
        """How much it went through, and what came of it."""
        crashes = f" and the server {self.crashes.total():,} times" if self.crashes else ""
        return (
            f"{self.kills:,} processes killed at {len(self.killed_at)} steps{crashes}: "
            f"{self.number('dangling')} dangling, {self.number('orphan')} orphans, "
            f"{len(self.lost)} lost, in {self.seconds:,.1f} s"
        )

    def rows(self) -> list[dict[str, Any]]:
        """As measurements have it: ``kind``, ``name``, ``step``, ``times``, ``seconds`` of all."""
        faults = {fault.kind: fault.number for fault in self.faults}
        faults |= {"lost": len(self.lost), "left of purged": self.left_of_purged}
        counts = {
            **{("fault", kind, ""): number for kind, number in faults.items()},
            **{("killed", *at): number for at, number in sorted(self.killed_at.items())},
            **{("ended", *how): number for how, number in sorted(self.ended.items())},
            **{("crashed", what, ""): number for what, number in sorted(self.crashes.items())},
            **{("damaged", what, ""): number for what, number in sorted(self.damaged.items())},
            **{("healed", what, ""): number for what, number in sorted(self.healed.items())},
        }
        return [
            {"kind": kind, "name": name, "step": step, "times": number, "seconds": self.seconds}
            for (kind, name, step), number in counts.items()
        ]

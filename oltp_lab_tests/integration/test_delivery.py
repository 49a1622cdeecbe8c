"""What becomes of a notification: a state machine with retries, and workers that race."""

import itertools
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from oltp_lab_tests.configuration.conftest import Tenant
from oltp_lab_tests.integration.world import NOW, call, mailed, retire, rows

STATUSES = ("pending", "failed", "dead", "delivered", "read")
ALLOWED = {
    ("pending", "delivered"),
    ("pending", "failed"),
    ("failed", "delivered"),
    ("failed", "dead"),
    ("pending", "dead"),
    ("dead", "pending"),
    ("delivered", "read"),
}


def test_the_application_cannot_deliver(tenant: Tenant) -> None:
    notification = mailed(tenant)
    with tenant.app() as app:
        for statement in (
            f"select integration.mark_delivered('{tenant.id}', '{notification}')",
            "update integration.notifications set delivered_at = now()",
            "delete from integration.notifications",
            "select integration.claim_notifications()",
            "select from integration.outbox",
            "delete from integration.outbox",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(statement)  # type: ignore[arg-type]
        app.execute(
            "insert into integration.outbox (tenant_id, topic) values (%s, 't')", [tenant.id]
        )


@pytest.mark.parametrize(("before", "after"), list(itertools.product(STATUSES, STATUSES)))
def test_transitions(tenant: Tenant, before: str, after: str) -> None:
    columns = {
        "status": after,
        "next_attempt_at": NOW if after in ("pending", "failed") else None,
        "delivered_at": NOW if after in ("delivered", "read") else None,
        "read_at": NOW if after == "read" else None,
    }
    tenant.platform.execute(
        "insert into integration.notifications (tenant_id, user_id, kind, channel, status,"
        " next_attempt_at, delivered_at, read_at, last_error)"
        " values (%s, %s, 'digest', 'email', %s, %s, %s, %s, 'x')",
        [
            tenant.id,
            tenant.owner,
            before,
            NOW if before in ("pending", "failed") else None,
            NOW if before in ("delivered", "read") else None,
            NOW if before == "read" else None,
        ],
    )
    update = (
        "update integration.notifications set status = %(status)s,"
        " next_attempt_at = %(next_attempt_at)s, delivered_at = %(delivered_at)s,"
        " read_at = %(read_at)s where tenant_id = %(tenant)s"
    )
    if before == after or (before, after) in ALLOWED:
        tenant.platform.execute(update, columns | {"tenant": tenant.id})
    else:
        with pytest.raises(psycopg.errors.CheckViolation, match=f"from {before} to {after}"):
            tenant.platform.execute(update, columns | {"tenant": tenant.id})


class Delivery(RuleBasedStateMachine):
    """One notification against a model of it; time only goes forward."""

    tenant: Tenant  # set by the test

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.status, self.attempts = "pending", 0
        self.id = mailed(self.tenant, self.now)

    @rule(minutes=st.integers(1, 600))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule()
    def deliver(self) -> None:
        if self.status == "dead":
            with pytest.raises(psycopg.errors.CheckViolation, match="from dead to delivered"):
                self._do("mark_delivered")
        elif self.status in ("pending", "failed"):
            assert self._do("mark_delivered") is True
            self.status, self.attempts = "delivered", self.attempts + 1
        else:
            assert self._do("mark_delivered") is False

    @rule(times=st.integers(1, 18))
    def fail(self, times: int) -> None:
        for _ in range(times):
            if self.status == "dead":
                with pytest.raises(psycopg.errors.CheckViolation, match="from dead to failed"):
                    self._do("mark_failed", "no route")
                return
            if self.status in ("pending", "failed"):
                self.attempts += 1
                self.status = "dead" if self.attempts == 18 else "failed"
            assert self._do("mark_failed", "no route") == self.status

    @rule()
    def retry(self) -> None:
        if self.status == "dead":
            self._do("retry_notification")
            self.status, self.attempts = "pending", 0
        else:
            refused = (psycopg.errors.CheckViolation, psycopg.errors.InvalidParameterValue)
            with pytest.raises(refused):
                self._do("retry_notification")

    @precondition(lambda self: self.status in ("failed", "pending"))
    @rule()
    def claim(self) -> None:
        before = self._row()["next_attempt_at"]
        claimed = self.tenant.platform.execute(
            "select id from integration.claim_notifications(at => %s)", [self.now]
        ).fetchall()
        assert ((self.id,) in claimed) == (before <= self.now)
        if claimed:
            assert self._row()["next_attempt_at"] == self.now + timedelta(minutes=5)

    @invariant()
    def agrees(self) -> None:
        row = self._row()
        assert (row["status"], row["attempts"]) == (self.status, self.attempts)

    def _do(self, function: str, *arguments: object) -> Any:
        return call(
            self.tenant.platform, function, self.tenant.id, self.id, *arguments, at=self.now
        )

    def _row(self) -> dict[str, Any]:
        (row,) = [r for r in rows(self.tenant) if r["id"] == self.id]
        return row

    def teardown(self) -> None:
        retire(self.tenant)


def test_delivery_machine(tenant: Tenant) -> None:
    machine = type("DeliveryOfTenant", (Delivery,), {"tenant": tenant})
    run_machine(
        machine,
        settings=hypothesis_settings(max_examples=20, stateful_step_count=12),
    )


def test_delays_grow_and_end(tenant: Tenant) -> None:
    """5 minutes, 1.3 times longer each time, and dead after the 18th attempt, as Postal does."""
    notification, at, delays = mailed(tenant), NOW, []
    while True:
        outcome = call(tenant.platform, "mark_failed", tenant.id, notification, "no route", at)
        if outcome == "dead":
            break
        due = rows(tenant)[0]["next_attempt_at"]
        delays.append((due - at).total_seconds())
        at = due
    assert delays == pytest.approx([300 * 1.3**n for n in range(17)], rel=1e-6)
    assert rows(tenant)[0]["last_error"] == "no route"


def test_unknown_notifications_raise(tenant: Tenant, other: Tenant) -> None:
    foreign = mailed(other)
    for function, *arguments in (
        ("mark_delivered",),
        ("mark_failed", "x"),
        ("retry_notification",),
    ):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="does not exist"):
            call(tenant.platform, function, tenant.id, foreign, *arguments)
    retire(other)


def test_claims_are_fair(tenant: Tenant, other: Tenant) -> None:
    for _ in range(30):
        mailed(tenant)
    for _ in range(3):
        mailed(other)
    claimed = [
        row
        for (row,) in tenant.platform.execute(
            "select tenant_id from integration.claim_notifications(100, 10, at => %s)", [NOW]
        )
    ]
    assert claimed.count(tenant.id) == 10
    assert claimed.count(other.id) == 3
    limited = tenant.platform.execute(
        "select id from integration.claim_notifications(7, 20, at => %s)", [NOW]
    ).fetchall()
    assert len(limited) == 7
    retire(other)


def test_racing_claims_take_each_once(tenant: Tenant) -> None:
    for _ in range(120):
        mailed(tenant)
    barrier = threading.Barrier(6)

    def work() -> list[uuid.UUID]:
        taken: list[uuid.UUID] = []
        with tenant.database.connect("lab_platform") as worker:
            barrier.wait()
            for _ in range(50):
                batch = worker.execute(
                    "select id from integration.claim_notifications(8, 8, at => %s)", [NOW]
                ).fetchall()
                taken += [notification for (notification,) in batch]
                worker.commit()
        return taken

    with ThreadPoolExecutor(6) as pool:
        results = [job.result() for job in [pool.submit(work) for _ in range(6)]]
    taken = [notification for result in results for notification in result]
    assert len(taken) == len(set(taken)) == 120

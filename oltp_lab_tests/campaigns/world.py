"""Campaigns, leads and who sends for them, made by the real operations."""

import itertools
import re
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql as pg
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from oltp_lab_tests.infrastructure.world import NOW, World

EVERY_DAY = [1, 2, 3, 4, 5, 6, 7]
ACTION = ("action", timedelta(0))
_numbers = itertools.count(1)

INSERT_CAMPAIGN = (
    "insert into campaigns.campaigns (tenant_id, name, status, scheduled_at)"
    " values (%s, 'given', %s, %s) returning id"
)


def operation(function: str, arguments: Sequence[Any]) -> pg.Composed:
    return pg.SQL("select * from {}({})").format(
        pg.Identifier("campaigns", function), pg.SQL(", ").join(pg.Placeholder() * len(arguments))
    )


def do(connection: psycopg.Connection, function: str, *arguments: Any) -> Any:
    """The value of an operation of the schema campaigns; a tuple if it returns several."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(operation(function, arguments), arguments).fetchone()
    return row[0] if row and len(row) == 1 else row


class Outreach(World):
    """A world in which campaigns run."""

    def do(self, function: str, *arguments: Any) -> Any:
        return do(self.platform, function, *arguments)

    def all(self, function: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Every row that an operation returns."""
        with self.platform.cursor(row_factory=tuple_row) as cursor:
            return cursor.execute(operation(function, arguments), arguments).fetchall()

    def mailer(self, plan: str = "scale", accounts: int = 1, **columns: Any) -> uuid.UUID:
        """A tenant with accounts that have no limits but those given."""
        tenant = self.tenant(plan)
        unlimited = {
            "provider": "google", "minimum_gap": timedelta(0), "daily_cap": 10**6,
            "allowance": 10**6, "period_ends_at": "infinity",
        }  # fmt: skip
        domain = self.domain(tenant, f"mailer{next(_numbers)}.example")
        for _ in range(accounts):
            self.account(tenant, domain, **unlimited | columns)
        return tenant

    def template(self, tenant: uuid.UUID) -> uuid.UUID:
        return self.do("save_template", tenant, None, "Hello", "Hello", "templates/1")[0]

    def campaign(
        self, tenant: uuid.UUID, *steps: tuple[str, timedelta], window: bool = False
    ) -> tuple[uuid.UUID, list[uuid.UUID]]:
        """A draft of steps (kind, delay) in a row; it sends at any time unless ``window``."""
        campaign, refusal = self.do("create_campaign", tenant, "Hello", "UTC", None, NOW)
        assert refusal is None
        if not window:
            self.do("set_window", tenant, campaign, "00:00", "24:00", EVERY_DAY, None, NOW)
        made: list[uuid.UUID] = []
        for kind, delay in steps or (ACTION,):
            after = made[-1] if made else None
            template = self.template(tenant) if kind == "action" else None
            made.append(self.do("add_step", tenant, campaign, kind, delay, after, "next", template))
        return campaign, made

    def leads(self, tenant: uuid.UUID, count: int = 1) -> list[uuid.UUID]:
        first = next(_numbers)
        people = [{"email": f"Lead{first}.{n}@one.example"} for n in range(count)]
        inserted, _, refusal = self.do("import_leads", tenant, Jsonb(people), None, NOW)
        assert (inserted, refusal) == (count, None)
        return [
            row["id"]
            for row in self.rows(
                "select id from campaigns.leads where tenant_id = %s"
                " and email_norm = any (%s) order by id",
                tenant,
                [person["email"].lower() for person in people],
            )
        ]

    def running(
        self, *steps: tuple[str, timedelta], leads: int = 1, tenant: uuid.UUID | None = None
    ) -> "Running":
        """A campaign that runs from NOW, with leads enrolled."""
        tenant = tenant or self.mailer()
        campaign, made = self.campaign(tenant, *steps)
        people = self.leads(tenant, leads)
        self.do("start_campaign", tenant, campaign, NOW)
        assert self.do("enroll_leads", tenant, campaign, people, NOW) == leads
        return Running(self, tenant, campaign, made, people)

    def given(self, tenant: uuid.UUID, status: str) -> uuid.UUID:
        """A campaign that simply is in a status, with a step to send."""
        scheduled = NOW + timedelta(days=1) if status == "scheduled" else None
        campaign = self.value(INSERT_CAMPAIGN, tenant, status, scheduled)
        self.run(
            "insert into campaigns.steps (tenant_id, campaign_id, position, template_id)"
            " values (%s, %s, 1, %s)",
            tenant,
            campaign,
            self.template(tenant),
        )
        return campaign

    def status(self, table: str, key: uuid.UUID) -> str:
        statement = pg.SQL("select status from campaigns.{} where id = %s")
        with self.platform.cursor(row_factory=tuple_row) as cursor:
            found = cursor.execute(statement.format(pg.Identifier(table)), [key]).fetchone()
        assert found
        return found[0]

    def run_due(self, at: datetime, batch: int = 1000) -> list[str]:
        """What became of each step that was due."""
        return [outcome for _, _, outcome in self.all("run_due_steps", batch, at)]

    def balanced(self, campaign: uuid.UUID) -> None:
        """The counters are the events."""
        events = Counter(
            row["kind"]
            for row in self.rows(
                "select kind from campaigns.events where campaign_id = %s", campaign
            )
        )
        tenant = self.value("select tenant_id from campaigns.campaigns where id = %s", campaign)
        assert dict(self.all("totals", tenant, campaign)) == dict(events)


class Running:
    """A campaign under way."""

    def __init__(
        self,
        world: Outreach,
        tenant: uuid.UUID,
        campaign: uuid.UUID,
        steps: list[uuid.UUID],
        leads: list[uuid.UUID],
    ) -> None:
        self.world, self.tenant, self.campaign = world, tenant, campaign
        self.steps, self.leads = steps, leads

    def event(self, kind: str, at: datetime, lead: int = 0, step: int = 0, **named: Any) -> Any:
        return self.world.do(
            "record_event", self.tenant, self.campaign, self.leads[lead], self.steps[step],
            kind, at, *named.values(),
        )  # fmt: skip

    def enrollment(self, lead: int = 0) -> dict[str, Any]:
        (row,) = self.world.rows(
            "select * from campaigns.enrollments where tenant_id = %s and campaign_id = %s"
            " and lead_id = %s",
            self.tenant,
            self.campaign,
            self.leads[lead],
        )
        return row

    def execute(self, at: datetime, lead: int = 0) -> str:
        return self.world.do("execute_step", self.tenant, self.enrollment(lead)["id"], at)

    def executions(self) -> list[dict[str, Any]]:
        return self.world.rows(
            "select x.*, e.lead_id from campaigns.step_executions x join campaigns.enrollments e"
            " on e.tenant_id = x.tenant_id and e.id = x.enrollment_id"
            " where e.campaign_id = %s order by x.executed_at, x.id",
            self.campaign,
        )


@contextmanager
def replaced(world: Outreach, function: str, *changes: tuple[str, str]) -> Iterator[None]:
    """The function without what a claim of these tests rests on."""
    with world.database.connect(autocommit=True) as administrator:
        (text,) = administrator.execute(
            "select pg_get_functiondef(%s::regprocedure)", [function]
        ).fetchone() or ("",)
        broken = text
        for old, new in changes:
            assert re.search(old, broken)
            broken = re.sub(old, new, broken)
        administrator.execute(broken)  # type: ignore[arg-type]
        try:
            yield
        finally:
            administrator.execute(text)

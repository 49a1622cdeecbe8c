"""The oracle finds nothing on the lab's own database, and each way of breaking a policy."""

import random
from collections.abc import Iterator
from dataclasses import replace

import dagster as dg
import pytest

from oltp_lab import servers
from oltp_lab import settings as lab_settings
from oltp_lab.errors import LabError
from oltp_lab.isolation import subject
from oltp_lab.isolation.oracle import grammar, world
from oltp_lab.isolation.oracle import run as oracle
from oltp_lab.isolation.oracle.assets import OracleConfig, assets
from oltp_lab.isolation.oracle.choices import Choices, shrink
from oltp_lab.isolation.oracle.run import Extent, Verdict
from oltp_lab.isolation.resource import IsolationSubject
from oltp_lab.resources import MeasurementsResource, Oltp, Scale
from oltp_lab.servers import Database

CONTEXT = "nullif(current_setting('nile.tenant_id', true), '')::uuid"
BREAKAGES = {
    "policy widened": (
        "campaigns.events",
        "alter policy tenant on campaigns.events using (true)",
    ),
    "second, wider policy": (
        "campaigns.enrollments",
        "create policy support on campaigns.enrollments for select to lab_app using (true)",
    ),
    "rls disabled": ("campaigns.leads", "alter table campaigns.leads disable row level security"),
    "own rows hidden": (
        "campaigns.templates",
        "create policy published on campaigns.templates as restrictive for select to lab_app "
        "using (status = 'active')",
    ),
    "policy dropped": (
        "integration.notifications",
        "drop policy tenant on integration.notifications",
    ),
    "no context admits": (
        "infrastructure.domains",
        "alter policy tenant on infrastructure.domains "
        f"using (tenant_id = coalesce({CONTEXT}, tenant_id))",
    ),
    "null owner admits": (
        "infrastructure.smtp_ips",
        "alter policy owner on infrastructure.smtp_ips "
        f"using (owner_tenant_id is null or owner_tenant_id = {CONTEXT})",
    ),
    "wrong column": (
        "users.tenant_users",
        f"alter policy tenant on users.tenant_users using (user_id = {CONTEXT})",
    ),
    "some rows of others": (
        "billing.invoices",
        f"alter policy tenant on billing.invoices using (tenant_id = {CONTEXT} or status = 'void')",
    ),
    "users of everybody": ("users.users", "alter policy tenant on users.users using (true)"),
}


def _damage(database: Database, statement: str) -> None:
    with database.connect() as connection:
        connection.execute(statement)  # type: ignore[arg-type]


def _ask(database: Database, queries: int = 1_000, seed: int = 1) -> Verdict:
    extent = replace(Extent.read("smoke"), queries=queries, timeout_ms=5_000)
    return oracle.run(subject.of_the_lab(database), extent, seed)


def test_it_holds_and_would_have_noticed(seeded: Database) -> None:
    verdict = _ask(seeded)
    assert verdict.failure is None
    assert verdict.doubts() == []
    total = verdict.total
    assert total.queries == 1_000
    assert total.non_empty > 0.5 * total.queries
    assert total.differing > 0.6 * total.unfiltered > 0
    assert verdict.of("feature").keys() == {
        f"{nonterminal}: {name}"
        for nonterminal, known in grammar.productions().items()
        for name, _ in known
    }


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_each_breakage_is_found_and_the_query_made_small(seeded: Database, breakage: str) -> None:
    table, statement = BREAKAGES[breakage]
    _damage(seeded, statement)
    failure = _ask(seeded).failure
    assert failure
    assert failure.tables == (table,)
    assert failure.statement.startswith("select t1.")
    assert len(failure.statement) < 100
    assert failure.rows[1].startswith(("leaked (", "hidden ("))
    assert (failure.tenant is None) == (breakage == "no context admits")
    assert f"{table}: " in str(failure)
    assert f"query {failure.number} of seed 1" in str(failure)


def test_the_same_seed_asks_the_same(seeded: Database) -> None:
    extent = replace(Extent.read("smoke"), queries=100)
    told = subject.of_the_lab(seeded)

    def asked(seed: int) -> list:
        with told.witness() as witness:
            known = world.read(witness, told, extent.pool, extent.samples)
        return [*oracle.questions(known, extent, seed, closed=True)]

    assert asked(1) == asked(1)
    assert not {q.query.text for q in asked(1)} >= {q.query.text for q in asked(2)}


def test_shrinking_leaves_what_is_needed() -> None:
    chance = random.Random(1)
    start = (*(chance.randrange(10) for _ in range(40)), 7, 9)
    small = shrink(start, lambda choices: 7 in choices and 9 in choices)
    assert sorted(small) == [7, 9]
    again = Choices(small)
    assert [again.below(10) for _ in range(3)] == [*small, 0]


def test_without_rows_nothing_is_proven(database: Database, seeded: Database) -> None:
    with pytest.raises(LabError, match="no two tenants have rows that lab_app may read"):
        _ask(database)
    _damage(seeded, "truncate integration.notification_preferences")
    verdict = _ask(seeded, 20)
    assert "no tenant has rows in integration.notification_preferences" in verdict.doubts()
    assert any(doubt.startswith("not asked about: ") for doubt in verdict.doubts())


@pytest.fixture
def somebodys(empty: Database) -> Iterator[Database]:
    """A schema that the lab did not make: numbers for tenants, another setting, odd names."""
    _damage(
        empty,
        """
        create schema "Their Shop";
        create table "Their Shop"."Order {1}" (
            account integer, id integer, note text, tags text[], paid numeric, secret text,
            primary key (account, id));
        create table "Their Shop".items (
            account integer, id integer, "order" integer, extra jsonb default '{"a": [1, 2]}',
            primary key (account, id),
            foreign key (account, "order") references "Their Shop"."Order {1}" (account, id));
        create table "Their Shop".open (account integer);
        insert into "Their Shop"."Order {1}"
            select a, i, '100 % {it''s} ' || i, '{a,"b{c}"}', i / 2.0
            from generate_series(1, 3) a, generate_series(1, 4) i;
        insert into "Their Shop".items select account, id, id from "Their Shop"."Order {1}";
        alter table "Their Shop"."Order {1}" enable row level security;
        alter table "Their Shop".items enable row level security;
        create policy own on "Their Shop"."Order {1}"
            using (account = current_setting('shop.account')::integer);
        create policy own on "Their Shop".items
            using (account = current_setting('shop.account')::integer);
        grant usage on schema "Their Shop" to lab_app;
        grant select (account, id, note, tags, paid) on "Their Shop"."Order {1}" to lab_app;
        grant select on "Their Shop".items, "Their Shop".open to lab_app;
        """,
    )
    yield empty


def _ask_somebody(database: Database) -> Verdict:
    told = subject.of_somebody(database.conninfo(), "account", "shop.account", "lab_app")
    return oracle.run(told, replace(Extent.read("smoke"), queries=200), 1)


def test_a_schema_that_the_lab_did_not_make(somebodys: Database) -> None:
    verdict = _ask_somebody(somebodys)
    assert verdict.failure is None
    assert verdict.doubts() == []
    assert verdict.total.dropped == 0
    assert verdict.left_out == ("Their Shop.open",)
    _damage(somebodys, 'create policy more on "Their Shop"."Order {1}" using (id = 3)')
    failure = _ask_somebody(somebodys).failure
    assert failure
    assert failure.tables == ("Their Shop.Order {1}",)


class Sibling(Oltp):
    """Another database of the same server."""

    name: str

    def database(self) -> Database:
        return servers.oltp(lab_settings.load()).sibling(self.name)


def _materialize(database: Database) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        assets,
        selection=["isolation/oracle"],
        resources={
            "oltp": Sibling(name=database.name),
            "subject": IsolationSubject(),
            "measurements": MeasurementsResource(),
            "scale": Scale(name="smoke"),
        },
        run_config={"ops": {"isolation__oracle": {"config": {"seed": 2, "queries": 250}}}},
        raise_on_error=False,
    )


def test_what_dagster_sees(seeded: Database) -> None:
    result = _materialize(seeded)
    assert result.success
    (check,) = result.get_asset_check_evaluations()
    assert check.passed
    _damage(seeded, BREAKAGES["policy widened"][1])
    result = _materialize(seeded)
    assert not result.success
    (check,) = result.get_asset_check_evaluations()
    assert not check.passed
    assert check.blocking
    assert "campaigns.events: " in (check.description or "")
    stored = (
        MeasurementsResource()
        .store()
        .read("from oracle_queries where kind = 'run' order by recorded_at")
    )
    assert stored["failure"].notna().tolist()[-2:] == [False, True]  # others ran before


def test_config_out_of_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match="queries"):
        OracleConfig(queries=0)

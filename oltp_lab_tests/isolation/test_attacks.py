"""Every attack holds on the lab's own database, and not for want of something to see."""

from collections.abc import Iterator
from contextlib import closing
from itertools import islice

import psycopg
import pytest

from oltp_lab import catalog
from oltp_lab.isolation import subject
from oltp_lab.isolation.attacks import catalogue as attacks
from oltp_lab.isolation.attacks import probes, targets
from oltp_lab.isolation.attacks.probes import HELD, LEAKED, NOT_APPLICABLE, NOT_PROVEN, Probe
from oltp_lab.isolation.attacks.session import Session
from oltp_lab.servers import Database, databases

# One of each sort; the end-to-end run attacks all.
TABLES = {
    "auth.invites", "auth.sessions", "billing.customers", "billing.invoices", "campaigns.leads",
    "campaigns.step_executions", "infrastructure.domain_verification", "infrastructure.smtp_ips",
    "integration.tombstones", "public.tenants", "users.tenant_users", "users.users",
}  # fmt: skip


@pytest.fixture(scope="module")
def found(seeded_template: Database) -> Iterator[list[Probe]]:
    """Every probe on some tables of the lab's own database."""
    with databases.temporary(seeded_template, seeded_template) as clone:
        yield list(probes.run(subject.of_the_lab(clone), TABLES))


def test_every_attack_holds(found: list[Probe]) -> None:
    assert [p for p in found if p.outcome in {LEAKED, NOT_PROVEN}] == []
    assert {p.table_name for p in found if p.role == "lab_app"} == TABLES


def test_every_table_that_is_not_shared_is_aimed_at(seeded: Database) -> None:
    with seeded.connect() as administrator:
        aimed_at = {t.label for t in targets.find(administrator, subject.of_the_lab(seeded))}
        query = "select table_name::text from lab.shared_tables"
        shared = {row[0] for row in administrator.execute(query)}
    assert {f"{schema}.{name}" for schema, name in catalog.tables()} <= aimed_at | shared
    assert aimed_at >= TABLES


def test_everything_is_tried(found: list[Probe]) -> None:
    tried = [p for p in found if p.outcome != NOT_APPLICABLE]
    assert {p.attack.split()[0] for p in tried} >= {a.name for a in attacks.attacks()}
    assert {p.way.split()[0] for p in tried} >= {way.name for way in attacks.ways()}
    assert {p.role for p in tried} == {"any", *(role.name for role in attacks.roles())}


def test_what_is_not_applicable_says_why(found: list[Probe]) -> None:
    assert all(p.detail for p in found if p.outcome == NOT_APPLICABLE)


def test_by_each_way_the_application_sees_its_own_rows(found: list[Probe]) -> None:
    controls = [p for p in found if p.attack == probes.CONTROL and p.role == "lab_app"]
    seen = {(p.table_name, p.way) for p in controls}
    own = {way.name for way in attacks.ways() if way.sees == "own"}
    assert {way for table, way in seen if table == "campaigns.leads"} == own
    assert all(p.outcome == HELD for p in controls)


def test_a_probe_tells_what_was_sent(found: list[Probe]) -> None:
    (probe,) = (
        p for p in found
        if (p.table_name, p.attack, p.way) == ("campaigns.leads", "read", "generic_plan")
    )  # fmt: skip
    assert 'from "campaigns"."leads" where "tenant_id" = ' in probe.statement
    assert probe.statement.startswith("begin;") and "execute attack" in probe.statement
    assert probe.expected == "no row, or refused with 42501"


def test_a_table_without_rows_is_not_proven(database: Database) -> None:
    tried = probes.run(subject.of_the_lab(database), {"campaigns.leads"})
    outcomes = {p.outcome for p in tried if p.role == "lab_app"}
    assert outcomes <= {NOT_PROVEN, NOT_APPLICABLE} and NOT_PROVEN in outcomes


def test_probes_leave_nothing_behind(seeded: Database) -> None:
    def everything() -> dict:
        with seeded.connect("lab_platform") as connection:
            return {key: table.rows for key, table in catalog.describe(connection).items()}

    before = everything()
    list(probes.run(subject.of_the_lab(seeded), {"campaigns.leads", "users.tenant_users"}))
    assert everything() == before


def test_who_has_seen_enough_may_stop(seeded: Database) -> None:
    with closing(probes.run(subject.of_the_lab(seeded))) as lazily:
        assert len(list(islice(lazily, 3))) == 3
    with seeded.connect() as connection:
        left = "select count(*) from pg_stat_activity where usename = 'lab_app'"
        assert connection.execute(left).fetchone() == (0,)


def test_a_lost_context_shows_as_such(seeded: Database) -> None:
    """The control: where one's own rows do not show, that others' do not proves nothing."""
    with seeded.connect() as connection:
        connection.execute("alter policy tenant on campaigns.leads using (false)")
    tried = probes.run(subject.of_the_lab(seeded), {"campaigns.leads"})
    controls = [p for p in tried if p.attack == probes.CONTROL and p.role == "lab_app"]
    open_ways = [p for p in controls if not p.detail.startswith("the way is closed")]
    assert open_ways and all(p.outcome == NOT_PROVEN for p in open_ways)


class TestSession:
    """What a script did, as libpq tells it."""

    @pytest.fixture
    def session(self, empty: Database) -> Iterator[Session]:
        with closing(empty.connect(autocommit=True)) as connection:
            connection.execute("create table t as select generate_series(1, 3) as n")
            yield Session(connection)

    @pytest.mark.parametrize(
        ("script", "rows"),
        [
            ("begin; select * from t;", 3),
            ("begin; delete from t where n < 3;", 2),
            ("begin; copy t to stdout;", 3),
            ("begin; select * from t; update t set n = n where false;", 0),
            ("begin; declare c cursor for table t; fetch all from c;", 3),
        ],
    )
    def test_the_last_statement_counts(self, session: Session, script: str, rows: int) -> None:
        reaction = session.run([script])
        assert (reaction.rows, reaction.code) == (rows, None)

    def test_an_error_is_told_and_nothing_stays(self, session: Session) -> None:
        assert session.run(["begin; delete from t; select 1 / 0;"]).code == "22012"
        assert session.run(["begin; table t;"]).rows == 3

    def test_everything_is_rolled_back(self, session: Session) -> None:
        session.run(["begin; delete from t;"])
        assert session.run(["begin; table t;"]).rows == 3

    def test_a_section_may_fail_before_the_last(self, session: Session) -> None:
        assert session.run(["begin; select 1 / 0;", "rollback; begin; table t;"]).rows == 3

    def test_rows_are_refused_by_copy(self, session: Session) -> None:
        assert session.run(["begin; copy t from stdin;"]).code is None
        assert session.run(["begin; copy t from '/nowhere';"]).code == "58P01"

    def test_a_lost_connection_is_an_error(self, session: Session) -> None:
        with pytest.raises(psycopg.OperationalError):
            session.run(["select pg_terminate_backend(pg_backend_pid());"])

"""Content and campaigns agree across two databases, whoever is killed, late, careless or absent."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from oltp_lab import servers
from oltp_lab.errors import LabError
from oltp_lab.neighbours import schema
from oltp_lab.neighbours.content import (
    authoring,
    comparison,
    fill,
    oracle,
    ordeal,
    reconciler,
    tiers,
)
from oltp_lab.neighbours.content.ordeal import Extent
from oltp_lab.neighbours.content.reconciler import reconcile
from oltp_lab.neighbours.content.tiers import ContentUnavailableError, Session, Tiers
from oltp_lab.servers import Database, databases
from oltp_lab.settings import Settings

AT_ONCE = timedelta(0)
BRIEF = Extent(lease_s=0.1, grace_s=0.05)
BODY = b"<p>Hello</p>"


@pytest.fixture(scope="module")
def scene(settings: Settings, schema_template: Database) -> Iterator[Tiers]:
    with (
        databases.temporary(schema_template, schema_template) as oltp,
        databases.temporary(servers.neighbours(settings, "content")) as content,
    ):
        schema.ensure(content, "content")
        yield Tiers(oltp, content)


@pytest.fixture
def tenant(scene: Tiers) -> uuid.UUID:
    return ordeal.add_tenants(scene, 1)[0]


@pytest.fixture
def session(scene: Tiers, tenant: uuid.UUID) -> Iterator[Session]:
    opened = Session(scene, tenant)
    yield opened
    opened.close()


@pytest.fixture
def operator(scene: Tiers) -> Iterator[psycopg.Connection]:
    """The administrator of the content database, who can break things."""
    with scene.content.connect(autocommit=True) as connection:
        yield connection


def faults(scene: Tiers) -> dict[str, int]:
    return {fault.kind: fault.number for fault in oracle.judge(scene) if fault.number}


def status(scene: Tiers, campaign: uuid.UUID | None) -> tuple[Any, ...] | None:
    with scene.oltp.connect() as connection:
        query = "select status, pause_reason from campaigns.campaigns where id = %s"
        return connection.execute(query, [campaign]).fetchone()


def state(operator: psycopg.Connection, key: str) -> str | None:
    query = "select state from content.objects where storage_key = %s"
    row = operator.execute(query, [key]).fetchone()
    return row[0] if row else None


def test_killed_at_each_step_once_nothing_dangles_and_no_orphan_stays(scene: Tiers) -> None:
    judged = ordeal.run(scene, BRIEF)
    assert judged.failures() == []
    assert set(judged.killed_at) == set(ordeal.POINTS)
    assert set(judged.damaged) == set(ordeal.DAMAGE)


def test_without_a_reconciler_the_oracle_finds_orphans(scene: Tiers) -> None:
    """The control of the test before; the first pass after it heals all of them."""
    judged = ordeal.run(scene, replace(BRIEF, kills=12, writers=2, reconciles=False))
    assert judged.number("orphan") > 0
    for _ in range(2):
        reconcile(scene, grace=AT_ONCE)
    assert faults(scene) == {}


@pytest.mark.parametrize("careless", [False, True])
def test_a_late_author_is_refused_or_content_dangles(
    scene: Tiers, session: Session, tenant: uuid.UUID, careless: bool
) -> None:
    """The body was given up meanwhile. A reconciler that does not ask the OLTP lets it dangle."""
    condemn = (lambda _oltp, _tenant, keys: keys) if careless else reconciler.condemned_by_oltp

    def dawdle(step: str) -> None:
        if step == "reserved":
            for _ in range(2):
                reconcile(scene, grace=AT_ONCE, condemn=condemn)

    def late() -> None:
        authoring.save(session, BODY, lease=AT_ONCE, reached=dawdle)

    if not careless:
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="given up"):
            late()
        assert faults(scene) == {}
        return
    with pytest.raises(LabError, match="has vanished"):
        late()
    assert faults(scene)["dangling"] == 1
    assert reconcile(scene)["missing"] == 1
    with scene.oltp.connect() as connection:  # what it broke goes, for the tests that follow
        connection.execute("delete from campaigns.template_versions where tenant_id = %s", [tenant])
        connection.execute("delete from campaigns.contents where tenant_id = %s", [tenant])


class DeadError(Exception):
    """Of an author."""


@pytest.mark.parametrize("step", authoring.CREATED)
def test_a_request_that_is_repeated_is_done_once(
    scene: Tiers, session: Session, tenant: uuid.UUID, step: str
) -> None:
    def die(at: str) -> None:
        if at == step:
            raise DeadError

    asked: dict[str, Any] = {"campaign": f"dead at {step}", "request": uuid.uuid4()}
    with pytest.raises(DeadError):
        authoring.save(session, BODY, **asked, reached=die)
    saved = authoring.save(session, BODY, **asked)
    assert authoring.save(session, BODY, **asked) == saved
    assert saved.campaign
    assert authoring.fetch(session, saved.campaign) == [BODY]
    with pytest.raises(psycopg.errors.UniqueViolation, match="holds something else"):
        authoring.save(session, b"other", **asked)
    for _ in range(2):  # under no request it is done again
        authoring.save(session, BODY, campaign=f"dead at {step}, again")
    with scene.oltp.connect() as connection:
        made = connection.execute(
            "select count(*) filter (where name = %s), count(*) filter (where name = %s)"
            " from campaigns.campaigns where tenant_id = %s",
            [f"dead at {step}", f"dead at {step}, again", tenant],
        ).fetchone()
    assert made == (1, 2)
    assert faults(scene) == {}


def test_a_repeated_request_gives_its_own_campaign(session: Session, tenant: uuid.UUID) -> None:
    """Others use the same template, before and after."""
    first = authoring.save(session, BODY, campaign="before")
    asked: dict[str, Any] = {"template": first.template, "campaign": "own"}
    asked |= {"request": uuid.uuid4()}
    own = authoring.save(session, BODY, **asked)
    assert own.campaign not in (None, first.campaign)
    assert authoring.save(session, BODY, **asked) == own
    bare: dict[str, Any] = {"template": first.template, "request": uuid.uuid4()}
    assert authoring.save(session, BODY, **bare).campaign is None
    assert authoring.save(session, BODY, **bare).campaign is None


def test_requests_at_once_are_one(scene: Tiers, tenant: uuid.UUID) -> None:
    asked: dict[str, Any] = {"campaign": "at once", "request": uuid.uuid4()}

    def save(_: int) -> authoring.Saved:
        session = Session(scene, tenant)
        try:
            return authoring.save(session, BODY, **asked)
        finally:
            session.close()

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(save, range(12)))) == 1


def test_no_campaign_starts_with_content_that_is_lost_or_being_deleted(
    scene: Tiers, session: Session, tenant: uuid.UUID, operator: psycopg.Connection
) -> None:
    saved = authoring.save(session, BODY, campaign="One")
    draft = authoring.save(session, BODY, campaign="Two")
    assert saved.campaign and draft.campaign
    authoring.start(session, saved.campaign)
    assert authoring.fetch(session, saved.campaign) == [BODY]

    session.in_content("mark_deleting", keys=[draft.key])
    with pytest.raises(LabError, match="missing or being deleted"):
        authoring.start(session, draft.campaign)
    assert reconcile(scene)["restored"] == 1  # it is referred to
    assert state(operator, draft.key) == "live"

    for key in (saved.key, draft.key):
        operator.execute("delete from content.uses where storage_key = %s", [key])
        operator.execute("delete from content.objects where storage_key = %s", [key])
    assert faults(scene) == {"dangling": 2}
    healed = reconcile(scene)
    assert (healed["missing"], healed["campaigns paused"]) == (2, 1)
    assert status(scene, saved.campaign) == ("paused", "content is missing")
    for campaign in (saved.campaign, draft.campaign):  # though the content's tier is not asked
        with (
            pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="is missing"),
            session.in_oltp() as run,
        ):
            run("start_campaign", campaign=campaign)

    renewed = authoring.save(session, b"<p>New</p>", template=saved.template)
    authoring.start(session, saved.campaign)
    assert authoring.fetch(session, saved.campaign) == [b"<p>New</p>"]
    for key in (saved.key, draft.key):
        put_back(session, key)
    assert reconcile(scene)["found"] == 2
    authoring.start(session, draft.campaign)
    assert faults(scene) == {}
    assert state(operator, renewed.key) == "live"


def put_back(session: Session, key: str) -> None:
    digest = authoring.hashlib.sha256(BODY).digest()
    named = {"body": BODY, "media_type": "text/html", "sha256": digest, "lease": authoring.LEASE}
    session.in_content("reserve", key=key, **named)


def test_a_new_version_while_a_campaign_runs_and_a_template_s_end(
    scene: Tiers, session: Session, tenant: uuid.UUID, operator: psycopg.Connection
) -> None:
    first = authoring.save(session, BODY, campaign="One")
    assert first.campaign
    authoring.start(session, first.campaign)
    authoring.save(session, b"<p>Second</p>", template=first.template)
    assert authoring.fetch(session, first.campaign) == [b"<p>Second</p>"]
    with pytest.raises(psycopg.errors.ObjectInUse):
        authoring.delete(session, first.template)
    assert state(operator, first.key) == "live"  # what was sent stays

    unused = authoring.save(session, BODY)
    with session.in_oltp() as run:
        run("archive_template", template=unused.template)
    reconcile(scene, grace=AT_ONCE)
    assert state(operator, unused.key) == "live"  # an archived template may come back
    with session.in_oltp() as run:
        run("delete_template", template=unused.template)
    reconcile(scene, grace=timedelta(hours=1))
    assert state(operator, unused.key) == "live"  # the grace period
    reconcile(scene, grace=AT_ONCE)
    assert state(operator, unused.key) is None


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """An application that has little patience with the content database."""
    monkeypatch.setattr(tiers, "_PAUSE_S", 0.01)
    monkeypatch.setitem(tiers.PATIENCE, "options", "-c lock_timeout=100ms")


@pytest.mark.usefixtures("brisk")
def test_without_the_content_database_campaigns_are_refused_and_nothing_is_half_done(
    scene: Tiers, session: Session, tenant: uuid.UUID, operator: psycopg.Connection
) -> None:
    saved = authoring.save(session, BODY, campaign="One")
    assert saved.campaign
    absent = Session(Tiers(scene.oltp, scene.content.sibling("oltp_lab_absent")), tenant)
    slow = Session(scene, tenant)
    with operator.transaction():
        operator.execute("lock table content.objects")
        for away, reason in ((absent, "does not exist"), (slow, "lock timeout")):
            with pytest.raises(ContentUnavailableError, match=reason):
                authoring.save(away, BODY, campaign="Two")
            with pytest.raises(ContentUnavailableError, match=reason):
                authoring.start(away, saved.campaign)
    assert status(scene, saved.campaign) == ("draft", None)
    with scene.oltp.connect() as connection:
        query = "select count(*) from campaigns.campaigns where tenant_id = %s"
        assert connection.execute(query, [tenant]).fetchone() == (1,)
    authoring.start(slow, saved.campaign)  # it is back
    absent.close()
    slow.close()


@pytest.mark.usefixtures("brisk")
@pytest.mark.parametrize("careless", [False, True])
def test_no_transaction_of_the_oltp_waits_for_the_content_database(
    scene: Tiers,
    session: Session,
    operator: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    careless: bool,
) -> None:
    """It becomes slow when the version is written; saved it is, and the reconciler confirms it.

    An author that calls it with its transaction open is seen to wait, and to lose the version.
    """
    waiting = "select count(*) from pg_stat_activity where datname = %s and xact_start is not null"
    seen: list[int] = []

    def look() -> None:
        with scene.oltp.connect(autocommit=True) as connection:
            (found,) = connection.execute(
                waiting + " and pid <> pg_backend_pid()", [scene.oltp.name]
            ).fetchone() or (0,)
            seen.append(found)

    def slow(step: str) -> None:
        if step == "written":
            operator.execute("begin")
            operator.execute("lock table content.objects")

    def beside(_oltp: psycopg.Connection, version: uuid.UUID, key: str) -> None:
        operator.execute("begin")
        operator.execute("lock table content.objects")
        session.in_content("confirm", key=key, version=version)

    monkeypatch.setattr(tiers, "time", SimpleNamespace(sleep=lambda _: look()))  # between tries
    if careless:
        with pytest.raises(LabError, match="transaction of the OLTP is open"):
            authoring.save(session, BODY, beside=beside)
        operator.execute("rollback")
        monkeypatch.setattr(Session, "_refuse_to_wait", lambda _: None)
        with pytest.raises(ContentUnavailableError):
            authoring.save(session, BODY, beside=beside)
        assert seen == [1, 1]
    else:
        authoring.save(session, BODY, lease=AT_ONCE, reached=slow)
        assert seen == [0, 0]
    operator.execute("rollback")
    assert reconcile(scene, grace=AT_ONCE)["confirmed"] == (not careless)
    assert faults(scene) == {}


@pytest.mark.parametrize("durable", [True, False])
def test_the_content_server_dies_and_nothing_dangles_unless_it_forgets_commits(
    scene: Tiers, session: Session, durable: bool
) -> None:
    if not scene.content.server.embedded:
        pytest.skip("a server given by URL is not ours to kill")

    def die(step: str) -> None:
        if step in dying:
            ordeal.crash(scene.content, dying[step])

    dying = (
        {"begun": "backend", "written": "postmaster"} if durable else {"confirmed": "postmaster"}
    )
    with scene.content.server.administer() as administrator:
        lazy = "alter system set wal_writer_delay = '10s'"
        administrator.execute("alter system reset wal_writer_delay" if durable else lazy)
        administrator.execute("select pg_reload_conf()")
    with scene.content.connect(autocommit=True) as administrator:
        administrator.execute("checkpoint")
        named = Identifier(scene.content.name)
        commits = SQL("alter database {} set synchronous_commit = {}")
        administrator.execute(commits.format(named, "on" if durable else "off"))
    saved = authoring.save(session, BODY, campaign="One", reached=die)
    assert saved.campaign
    if durable:
        authoring.start(session, saved.campaign)
        assert authoring.fetch(session, saved.campaign) == [BODY]
        assert faults(scene) == {}
        return
    assert faults(scene)["dangling"] == 1
    with pytest.raises(LabError, match="missing or being deleted"):
        authoring.start(session, saved.campaign)
    put_back(session, saved.key)
    assert faults(scene) == {}


def test_a_body_never_changes_and_is_what_its_hash_says(
    session: Session, tenant: uuid.UUID
) -> None:
    saved = authoring.save(session, BODY)
    put_back(session, saved.key)  # the same once more
    common: dict[str, Any] = {"media_type": "text/html", "lease": authoring.LEASE}
    other = authoring.hashlib.sha256(b"other").digest()
    with pytest.raises(psycopg.errors.UniqueViolation, match="holds something else"):
        session.in_content("reserve", key=saved.key, body=b"other", sha256=other, **common)
    with pytest.raises(psycopg.errors.CheckViolation, match="objects_sha256_check"):
        session.in_content("reserve", key="damaged", body=BODY, sha256=other, **common)


def test_reference_and_duplicate_are_compared_by_real_sessions(
    scene: Tiers, tenant: uuid.UUID
) -> None:
    rows = comparison.run(scene, tenant, rounds=6, saves=2, size=8000)
    found = {row["measure"]: row for row in comparison.summary(rows)}
    assert set(found) == set(comparison.MEASURES)
    assert found["wal_bytes"]["low"] > 1
    with scene.oltp.connect() as connection:
        connection.execute("drop table campaigns.body_copies")


def test_the_sample_data_s_keys_are_filled_in_and_isolated(
    settings: Settings, seeded: Database
) -> None:
    with databases.temporary(servers.neighbours(settings, "content")) as content:
        schema.ensure(content, "content")
        both = Tiers(seeded, content)
        first, second = fill.ensure(both), fill.ensure(both)
        assert (first.anew, second.anew) == (True, False)
        assert first.objects == second.objects > 100
        assert reconcile(both).total() == 0
        assert faults(both) == {}
        assert oracle.leaks(both) == []
        with content.connect() as connection:  # the control: what a hole would show
            connection.execute("alter table content.objects no force row level security")
            connection.execute("create policy hole on content.objects to lab_app using (true)")
        leaks = oracle.leaks(both)
        assert any("rows of content.objects seen as None" in told for told in leaks)
        assert "content.objects is without forced row level security" in leaks

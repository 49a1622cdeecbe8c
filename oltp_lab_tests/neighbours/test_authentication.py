"""Who may not is refused; the walk notices a service that is careless; secrets stay secret."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, LiteralString
from uuid import UUID

import bcrypt
import dagster as dg
import psycopg
import pytest

from oltp_lab.errors import LabError
from oltp_lab.findings import finding
from oltp_lab.measuring.store import Measurements
from oltp_lab.neighbours.authentication import passwords as passwords_module
from oltp_lab.neighbours.authentication import tokens, walk
from oltp_lab.neighbours.authentication.assets import CHECKS, AuthenticationConfig, authentication
from oltp_lab.neighbours.authentication.passwords import LONGEST, Passwords
from oltp_lab.neighbours.authentication.refusals import RefusedError
from oltp_lab.neighbours.authentication.run import Walked
from oltp_lab.neighbours.authentication.service import Service, Session, Work, opened
from oltp_lab.neighbours.authentication.walk import Walk
from oltp_lab.resources import Oltp
from oltp_lab.servers import Database, databases
from oltp_lab.settings import Settings

CHEAP = 4
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def shared(schema_template: Database) -> Iterator[Database]:
    """The schema without rows, for tests with users of their own."""
    with databases.temporary(schema_template, schema_template) as clone:
        yield clone


@pytest.fixture
def service(shared: Database) -> Iterator[Service]:
    with opened(shared, Passwords(CHEAP)) as service:
        yield service


@pytest.fixture
def remembered(monkeypatch: pytest.MonkeyPatch) -> list[Walk]:
    """Walks as they were at their end, with the secrets that they drew."""
    walks: list[Walk] = []
    original = walk.secrets

    def remember(walked: Walk, database: Database) -> None:
        walks.append(walked)
        original(walked, database)

    monkeypatch.setattr(walk, "secrets", remember)
    return walks


# The walk -----------------------------------------------------------------------------------------


def test_the_asset_its_checks_and_its_card(
    settings: Settings,
    shared: Database,
    smoke: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    remembered: list[Walk],
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(Oltp, "database", lambda _: shared)
    caplog.set_level(logging.DEBUG)
    result = dg.materialize([authentication], resources=smoke)
    told = {e.check_name: (e.passed, e.description) for e in result.get_asset_check_evaluations()}
    assert told == {name: (True, description) for name, description in CHECKS.items()}
    store = Measurements(settings.measurements)
    found = finding.read(store, "authentication")
    assert found.card and found.card["tone"] == "good", found.headline
    assert found.figures["refusals"] > 30
    assert all(frame is not None and len(frame) for frame in found.frames.values())

    (walked,) = remembered
    texts = [*map(str, result.all_events), caplog.text, *capfd.readouterr()]
    texts += [str(store.read("select * from authentication_steps").to_dict())]
    texts += [repr(walked), str(found)]
    assert settings.postgres_url or _server_log(settings)
    assert _seen(walked.secrets, [*texts, _server_log(settings)]) == []
    assert _seen(walked.secrets, [f"canary {walked.secrets[-1]}"]) == walked.secrets[-1:]


def test_passwords_and_tokens_never_reach_the_server(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every statement and its values in its log: digests are there, secrets are not."""
    if settings.postgres_url:
        pytest.skip("the log of a given server is not here")
    walks: list[Walk] = []
    monkeypatch.setattr(walk, "secrets", lambda walked, _: walks.append(walked))
    with database.server.administer() as administrator:
        administrator.execute(f"alter database {database.name} set log_statement = 'all'")  # type: ignore[arg-type]
    walk.take(database, Passwords(CHEAP))
    log, drawn = _server_log(settings), walks[0].secrets
    assert [secret for secret in drawn if secret in log] == []
    assert [secret for secret in drawn if tokens.digest(secret) in log]  # it is looked at rightly


def _server_log(settings: Settings) -> str:
    log = settings.home / "oltp" / "data" / "server.log"
    return log.read_text("utf-8", "replace") if log.exists() else ""


def _seen(secrets: Sequence[str], texts: Sequence[str]) -> list[str]:
    """The secrets that are in texts, as they are or as what is kept of them; and any hash."""
    return [
        secret
        for secret in secrets
        if any(secret in text or tokens.digest(secret) in text or "$2b$" in text for text in texts)
    ]


class Believing(Service):
    """Asks whose session it is, and believes the tenant that the request names."""

    def admit(self, session: Session) -> tuple[UUID, list[str]]:
        who: LiteralString = "select tenancy.require_user(%s), '{}'::text[]"
        row = self._auth.execute(who, [tokens.digest(session.token)]).fetchone()
        assert row
        return row


class AskingOnce(Service):
    """Admits a transaction, and then whatever it does."""

    @contextmanager
    def transaction(self, session: Session) -> Iterator[Work]:
        admitted = self.admit(session)
        with super().transaction(session) as work:
            frozen = AskingOnce(self._auth, self._app, self._passwords)
            frozen.admit = lambda session: admitted
            yield Work(frozen, work.app, session)


class Keeping(Service):
    """Keeps tokens as they are."""

    def _ask(self, name: str, session: Session | None = None, **values: Any) -> Any:
        if session:
            values |= {"token": session.token, "tenant": session.tenant}
        return super()._ask(name, None, **values)


class Uncounting(Service):
    """Lets everybody try as often as they like."""

    def _ask(self, name: str, session: Session | None = None, **values: Any) -> Any:
        self._auth.execute("delete from auth.log_in_attempts")
        return super()._ask(name, session, **values)


class Forgetful(Service):
    """Changes a password, and leaves the sessions of who knew the old one."""

    def change_password(self, session: Session, old: str, new: str) -> int:
        user, _ = self.admit(session)
        self._auth.execute(
            "update auth.credentials set payload = jsonb_build_object('hash', %s::text)"
            " where user_id = %s",
            [self._passwords.hash(new), user],
        )
        return 0


class Telling(Service):
    """Says of an address that nobody has it."""

    def log_in(self, address: str, password: str) -> Session:
        known = self._auth.execute("select from users.users where email = %s", [address])
        if not known.rowcount:
            raise RefusedError("23503")
        return super().log_in(address, password)


@pytest.mark.parametrize(
    ("careless", "noticed"),
    [
        (Believing, "his request names Acme: done"),
        (AskingOnce, "removed, in the same transaction: done"),
        (Keeping, "in any table: auth.sessions"),
        (Uncounting, "after 5 wrong ones, with the right one: done"),
        (Forgetful, "one of these: done"),
        (Telling, "an address that nobody has: there is no such user"),
    ],
)
def test_the_walk_notices_what_is_careless(
    database: Database, careless: type[Service], noticed: str
) -> None:
    walked = Walked(walk.take(database, Passwords(CHEAP), careless), [], [], 0.0)
    assert noticed in "\n".join(fault for kind in CHECKS for fault in walked.wrong(kind))


# Passwords and log-ins ----------------------------------------------------------------------------


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The costs of the computations that bcrypt makes, as they are made."""
    costs: list[int] = []
    compare, make = bcrypt.checkpw, bcrypt.hashpw

    def checkpw(password: bytes, kept: bytes) -> bool:
        same = compare(password, kept)  # raises before it computes
        costs.append(int(kept.split(b"$")[2]))
        return same

    def hashpw(password: bytes, salt: bytes) -> bytes:
        costs.append(int(salt.split(b"$")[2]))
        return make(password, salt)

    monkeypatch.setattr(passwords_module.bcrypt, "checkpw", checkpw)
    monkeypatch.setattr(passwords_module.bcrypt, "hashpw", hashpw)
    return costs


def _refusals(service: Service, platform: psycopg.Connection) -> dict[str, Callable[[], object]]:
    """Log-ins that fail, each for another reason."""
    for name in ("right", "broken", "google", "gone"):
        service.sign_up(f"{name}@refusals.example", PASSWORD)
    change = "update auth.credentials set {} where user_id = (select id from users.users where email = %s)"  # noqa: E501
    for what, name in (
        ('payload = \'{"hash": "$2b$12$abc"}\'', "broken"),
        ("method = 'GOOGLE'", "google"),
    ):
        platform.execute(change.replace("{}", what), [f"{name}@refusals.example"])  # type: ignore[arg-type]
    platform.execute("update users.users set deleted = now() where email = 'gone@refusals.example'")
    tried = {
        "wrong": ("right@refusals.example", "another password"),
        "empty": ("right@refusals.example", ""),
        "too long": ("right@refusals.example", PASSWORD + "x" * LONGEST),
        "no text": ("right@refusals.example", "\ud800\0"),
        "unknown": ("nobody@refusals.example", PASSWORD),
        "unheard of": ("\ud800\0" + "x" * 5000, PASSWORD),
        "broken": ("broken@refusals.example", PASSWORD),
        "another way": ("google@refusals.example", PASSWORD),
        "gone": ("gone@refusals.example", PASSWORD),
    }
    return {name: lambda t=told: service.log_in(*t) for name, told in tried.items()}


def test_every_refused_log_in_looks_and_works_alike(
    service: Service, shared: Database, computed: list[int]
) -> None:
    with shared.connect("lab_platform", autocommit=True) as platform:
        refusals = _refusals(service, platform)
    for name, log_in in refusals.items():
        computed.clear()
        with pytest.raises(
            RefusedError, match=r"^the address or the password is wrong$"
        ) as refused:
            log_in()
        assert computed == [CHEAP], name
        assert refused.value.__cause__ is None


def test_a_service_that_skips_the_hash_is_told_apart(shared: Database, computed: list[int]) -> None:
    class Hasty(Passwords):
        def match(self, password: str, kept: str | None) -> bool:
            return kept is not None and super().match(password, kept)

    with opened(shared, Hasty(CHEAP)) as service:
        computed.clear()
        with pytest.raises(RefusedError):
            service.log_in("nobody@hasty.example", PASSWORD)
        assert computed == []


def test_guesses_at_once_are_no_more_than_those_allowed(
    shared: Database, service: Service, computed: list[int]
) -> None:
    service.sign_up("guessed@acme.example", PASSWORD)
    shared_passwords = Passwords(CHEAP)
    computed.clear()

    def guess(number: int) -> None:
        with opened(shared, shared_passwords) as one, suppress(RefusedError):
            one.log_in("guessed@acme.example", f"password {number}")

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(guess, range(12)))
    assert len(computed) == walk.ATTEMPTS


def test_passwords() -> None:
    cheap = Passwords(CHEAP)
    kept = cheap.hash("p\u00e4sswort")
    assert cheap.match("pa\u0308sswort", kept)  # typed on another keyboard
    assert not cheap.match("p\u00e4sswort\0", kept)
    assert len({cheap.hash(PASSWORD), cheap.hash(PASSWORD)}) == 2
    longest = "\u20ac" * (LONGEST // 3)
    assert cheap.match(longest, cheap.hash(longest))
    for unfit in ("", "seven77", longest + "x", "x" * 73):
        with pytest.raises(RefusedError, match="8 characters"):
            cheap.hash(unfit)
    assert cheap.renewed(PASSWORD, kept) is None
    dearer = Passwords(CHEAP + 1)
    assert (dearer.renewed(PASSWORD, kept) or "").startswith("$2b$05$")
    assert passwords_module.COST == 12
    assert AuthenticationConfig().cost is None
    for cost in (3, 17):
        with pytest.raises(LabError, match="`cost`"):
            Passwords(cost)


def test_a_log_in_brings_the_hash_up_to_date(service: Service, shared: Database) -> None:
    service.sign_up("renewed@acme.example", PASSWORD)
    with opened(shared, Passwords(CHEAP + 1)) as dearer:
        assert dearer.log_in("renewed@acme.example", PASSWORD)
    _, kept = service._ask("begin_log_in", address="renewed@acme.example")
    assert kept.startswith("$2b$05$")
    assert Passwords(CHEAP).match(PASSWORD, kept)


def test_a_password_that_changes_while_it_is_compared(service: Service, shared: Database) -> None:
    service.sign_up("changed@acme.example", PASSWORD)
    session = service.log_in("changed@acme.example", PASSWORD)

    class Slow(Passwords):
        def match(self, password: str, kept: str | None) -> bool:
            same = super().match(password, kept)
            service.change_password(session, PASSWORD, "quite another")
            return same

    with opened(shared, Slow(CHEAP)) as slow, pytest.raises(RefusedError, match="wrong"):
        slow.log_in("changed@acme.example", PASSWORD)
    assert service.tenants(session) == {}


# Invites ------------------------------------------------------------------------------------------


def test_an_invite_that_two_accept_at_once(shared: Database, service: Service) -> None:
    _, tenant = service.sign_up("owner@invites.example", PASSWORD, "Invites")
    assert tenant
    owner = service.switch(service.log_in("owner@invites.example", PASSWORD), tenant)
    service.sign_up("guest@invites.example", PASSWORD)
    guests = [service.log_in("guest@invites.example", PASSWORD) for _ in range(4)]
    secret = service.invite(owner, " Guest@Invites.example", ["member"])

    def accept(session: Session) -> str:
        with opened(shared, Passwords(CHEAP)) as one:
            try:
                return str(one.accept(session, secret) == tenant)
            except RefusedError as refused:
                return str(refused)

    with ThreadPoolExecutor(len(guests)) as pool:
        outcomes = sorted(pool.map(accept, guests))
    assert outcomes == ["True", *["there is no such invite or member"] * 3]
    assert service.tenants(guests[0]) == {"Invites": ["member"]}


def test_what_is_no_refusal_is_raised_as_it_is(service: Service) -> None:
    _, tenant = service.sign_up("owner@errors.example", PASSWORD, "Errors")
    assert tenant
    session = service.switch(service.log_in("owner@errors.example", PASSWORD), tenant)
    assert session.token not in repr(session)
    with pytest.raises(psycopg.errors.DivisionByZero), service.transaction(session) as work:
        work.execute("select 1 / 0 where %(tenant)s is not null")
    with service.transaction(session) as work:
        assert work.execute("select lab.current_tenant()").fetchone() == (tenant,)

"""pgrls, an outside judge of the live schema: ``lint`` finds mistakes, ``verify`` proves policies.

What it finds is wrong, or is in ``pgrls_exceptions.toml`` with a reason that the database confirms.
``verify`` cannot decide ``nullif(current_setting(...), '')``, so that it proves the schema without
``nullif``. That leaves the empty string, for which nullif makes "no tenant", to the attacks.
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from oltp_lab.servers import Database, databases

PGRLS = Path(sys.executable).with_name("pgrls")
HERE = Path(__file__).parent
EXCEPTIONS: list[dict[str, Any]] = tomllib.loads(
    (HERE / "pgrls_exceptions.toml").read_text("utf-8")
)["exception"]
MODES = ("anon", "cross-tenant", "write")
PROVEN = "isolated"
Findings = list[tuple[str, str]]
"""(rule or mode, what it is about), or of verify (schema.table.policy, verdict)"""

WITHOUT_NULLIF = (HERE / "without_nullif.sql").read_text("utf-8")

# Policies that ask other tables: role, what is in context, what is read, and what the rows must be.
NOT_FOLLOWED = [
    (
        "lab_app",
        "select id, null from public.tenants order by id",
        "select id from users.users",
        "select user_id from users.tenant_users where tenant_id = %s",
    ),
    (
        "lab_auth",
        "select null, id from users.users order by id limit 50",
        "select id from public.tenants",
        "select tenant_id from users.tenant_users where user_id = %s",
    ),
    (
        "lab_auth",
        "select null, id from users.users order by id limit 50",
        "select tenant_id from users.tenant_users",
        "select tenant_id from users.tenant_users where user_id = %s",
    ),
]

# What must be found, by whom, and where.
BREACHES = {
    "widened": (
        "alter policy tenant on campaigns.leads using (first_name is not null"
        " or tenant_id = current_setting('nile.tenant_id', true)::uuid)",
        "cross-tenant",
        "campaigns.leads.tenant",
    ),
    "admits every row": (
        "alter policy tenant on campaigns.events using (true)",
        "cross-tenant",
        "campaigns.events.tenant",
    ),
    "writes any row": (
        "alter policy tenant on campaigns.events with check (true)",
        "write",
        "campaigns.events.tenant",
    ),
    "admits who has no tenant": (
        "alter policy tenant on campaigns.steps using ("
        "tenant_id = current_setting('nile.tenant_id', true)::uuid"
        " or current_setting('nile.tenant_id', true) is null); "
        "alter policy tenant on campaigns.steps to public",
        "anon",
        "campaigns.steps.tenant",
    ),
    "forgotten": ("create table campaigns.extra (tenant_id uuid)", "SEC001", "campaigns.extra"),
    "not forced": (
        "alter table campaigns.leads no force row level security",
        "SEC002",
        "campaigns.leads",
    ),
}

pytestmark = pytest.mark.skipif(not PGRLS.exists(), reason="pgrls is not beside this Python")


@pytest.fixture(scope="module")
def live(schema_template: Database) -> Iterator[Database]:
    """The schema as it is; nobody changes it."""
    with databases.temporary(schema_template, schema_template) as clone:
        yield clone


@pytest.fixture(scope="module")
def decidable(schema_template: Database) -> Iterator[Database]:
    """The schema without nullif; who breaks it clones it."""
    with databases.temporary(schema_template, schema_template) as clone:
        _administer(clone, WITHOUT_NULLIF)
        yield clone


@pytest.fixture(scope="module")
def linted(live: Database) -> Findings:
    return _lint(live)


@pytest.fixture(scope="module")
def verified(decidable: Database) -> dict[str, Findings]:
    return {mode: _verify(decidable, mode) for mode in MODES}


def test_every_finding_of_lint_has_a_reason(linted: Findings) -> None:
    assert _unexplained(linted) == []


def test_every_policy_is_proven_or_has_a_reason(verified: dict[str, Findings]) -> None:
    for mode, found in verified.items():
        proven = [policy for policy, verdict in found if verdict == PROVEN]
        assert len([policy for policy in proven if policy.endswith(".tenant")]) >= 44
        assert _unexplained(_unproven(mode, found)) == []


def test_nothing_leaks_as_it_is(live: Database) -> None:
    for mode in MODES:
        assert {verdict for _, verdict in _verify(live, mode)} <= {PROVEN, "unverified"}


@pytest.mark.parametrize("mode", ["escalation", "reachability"])
def test_no_role_and_no_view_is_a_way_around(live: Database, mode: str) -> None:
    assert _verify(live, mode) == []


def test_no_exception_is_stale(linted: Findings, verified: dict[str, Findings]) -> None:
    found = [*linted, *(f for mode in MODES for f in _unproven(mode, verified[mode]))]
    stale = [
        (exception["rule"], pattern)
        for exception in EXCEPTIONS
        for pattern in exception["objects"]
        if not any(_is_about(exception["rule"], pattern, finding) for finding in found)
    ]
    assert stale == []


@pytest.mark.parametrize("exception", EXCEPTIONS, ids=lambda e: f"{e['rule']} {e['objects'][0]}")
def test_the_reason_is_true(live: Database, exception: dict[str, Any]) -> None:
    assert exception["reason"]
    if "unless" in exception:
        with live.connect() as administrator:
            assert administrator.execute(exception["unless"]).fetchall() == []


@pytest.mark.parametrize(("role", "contexts", "shown", "wanted"), NOT_FOLLOWED)
def test_what_verify_does_not_follow(
    seeded_template: Database, role: str, contexts: str, shown: str, wanted: str
) -> None:
    with (
        databases.temporary(seeded_template, seeded_template) as seeded,
        seeded.connect("lab_platform") as platform,
        seeded.connect(role) as session,
    ):
        rows = 0
        for tenant, user in platform.execute(contexts).fetchall():  # type: ignore[arg-type]
            session.execute("select lab.enter_tenant(%s, %s)", [tenant, user])
            seen = session.execute(shown).fetchall()  # type: ignore[arg-type]
            theirs = platform.execute(wanted, [tenant or user]).fetchall()  # type: ignore[arg-type]
            assert set(seen) == set(theirs)
            rows += len(seen)
        assert rows
        session.execute("select lab.enter_tenant(null)")
        assert session.execute(shown).fetchall() == []  # type: ignore[arg-type]


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_found(decidable: Database, schema_template: Database, breach: str) -> None:
    damage, by, where = BREACHES[breach]
    with databases.temporary(schema_template, decidable) as broken:
        _administer(broken, damage)
        found = _unproven(by, _verify(broken, by)) if by in MODES else _lint(broken)
        assert _unexplained(found) == [(by, where)]


def _administer(database: Database, statement: str) -> None:
    with database.connect(autocommit=True) as administrator:
        administrator.execute(statement)  # type: ignore[arg-type]


def _pgrls(database: Database, *arguments: str) -> Any:
    """What pgrls says, as JSON."""
    options = database.options()
    name = options.pop("dbname")
    url = f"postgresql:///{name}?{urlencode(options)}"
    command = [PGRLS, *arguments, "--database-url", url, "--config", HERE / "pgrls.toml"]
    done = subprocess.run(
        [*command, "--format", "json"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode in {0, 1}, done.stderr
    return json.loads(done.stdout)


def _lint(database: Database) -> Findings:
    """(rule, what it is about)"""
    found = _pgrls(database, "lint", "--fail-on", "info")["violations"]
    return [(finding["rule_id"], finding["location"]) for finding in found]


def _verify(database: Database, mode: str) -> Findings:
    """(schema.table.policy, isolated, unverified or leak)"""
    tables = _pgrls(database, "verify", "--strict", "--mode", mode).get("tables", [])
    return [
        (f"{table['table']}.{policy['policy']}", policy["verdict"])
        for table in tables
        for policy in table["policies"]
    ]


def _unproven(mode: str, found: Findings) -> Findings:
    assert found
    return [(mode, policy) for policy, verdict in found if verdict != PROVEN]


def _unexplained(findings: Findings) -> Findings:
    return [
        finding
        for finding in findings
        if not any(
            _is_about(exception["rule"], pattern, finding)
            for exception in EXCEPTIONS
            for pattern in exception["objects"]
        )
    ]


def _is_about(rule: str, pattern: str, finding: tuple[str, str]) -> bool:
    return rule == finding[0] and fnmatchcase(finding[1], pattern)

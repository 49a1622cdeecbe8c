"""Aiming every attack at every table, and judging what came of it. Every probe is rolled back."""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from oltp_lab import sql
from oltp_lab.isolation.attacks import Attack, ForeignKey, Target, catalogue, targets
from oltp_lab.servers import Database

ROLE = "lab_app"
HELD, LEAKED, NOT_PROVEN = "held", "leaked", "not proven"
_INTEGRITY_VIOLATION = "23"  # SQLSTATE class


@dataclass(frozen=True)
class Probe:
    """What was tried, and what came of it; ``detail`` says what leaked or why nothing is proven."""

    table_name: str
    attack: str
    role: str
    statement: str
    outcome: str
    detail: str


@dataclass(frozen=True)
class Victims:
    """Rows to attack: two tenants that have some, and one row of each (None: there is none)."""

    own: uuid.UUID | None
    victim: uuid.UUID | None
    own_row: Mapping[str, Any] | None
    victim_row: Mapping[str, Any] | None

    @property
    def parameters(self) -> dict[str, Any]:
        return {
            "own": self.own,
            "victim": self.victim,
            "victim_row": Jsonb(self.victim_row),
        }


def run(database: Database) -> list[Probe]:
    """Attack every table as the application's role; of those listed as shared, judge the list."""
    with (
        database.connect() as administrator,
        database.connect("lab_platform", autocommit=True) as witness,
        database.connect(ROLE) as attacker,
    ):
        attacker.execute("set statement_timeout = '60s'")
        attacker.commit()
        found = list(_shared_tables(administrator))
        attacks = catalogue()
        for target in targets(administrator):
            found += _attack_table(witness, attacker, target, attacks)
        return found


def _shared_tables(administrator: psycopg.Connection) -> Iterator[Probe]:
    """Shared tables hold nobody's rows, and are written by those alone whom their list names."""
    for table, problems in administrator.execute(sql.queries("isolation/catalog.sql")["shared"]):
        outcome = LEAKED if problems else HELD
        yield Probe(table, "shared table", "any", "", outcome, "; ".join(problems))


def _attack_table(
    witness: psycopg.Connection,
    attacker: psycopg.Connection,
    target: Target,
    attacks: Iterable[Attack],
) -> Iterator[Probe]:
    yield _structure(target)
    victims = _victims(witness, target)
    for attack in attacks:
        if attack.names_tenant and not target.tenant:
            continue
        for key in attack.aims(target):
            aimed = _referring(witness, target, victims, key) if key else victims
            yield _probe(attacker, target, attack, aimed, key)


def _structure(target: Target) -> Probe:
    """Row level security is enabled and forced, and there is a policy."""
    missing = [
        text
        for holds, text in (
            (target.enabled, "row level security is not enabled"),
            (target.forced, "row level security is not forced on the owner"),
            (target.has_policy, "it has no policy"),
        )
        if not holds
    ]
    return Probe(
        target.label, "structure", "any", "", LEAKED if missing else HELD, ", ".join(missing)
    )


def _victims(witness: psycopg.Connection, target: Target) -> Victims:
    """The rows, as the role that sees every tenant's; none where it may not look."""
    queries = sql.queries("isolation/catalog.sql")

    def fetch(name: str, *parameters: object) -> tuple[Any, ...]:
        try:
            found = witness.execute(target.compose(queries[name]), parameters).fetchone()
        except psycopg.errors.InsufficientPrivilege:
            found = None
        return found or (None, None)

    if not target.tenant:
        return Victims(None, None, None, fetch("any_row")[0])
    own, victim = fetch("pair")
    if own == victim:
        own = None
    return Victims(own, victim, fetch("row", own)[0], fetch("row", victim)[0])


def _referring(
    witness: psycopg.Connection, target: Target, victims: Victims, key: ForeignKey
) -> Victims:
    """A victim's row whose reference is not null, or there would be nothing to refuse."""
    query = target.compose(sql.queries("isolation/catalog.sql")["referring_row"], key)
    (row,) = witness.execute(query, [victims.own]).fetchone() or (None,)
    return replace(victims, victim_row=row)


def _probe(
    attacker: psycopg.Connection,
    target: Target,
    attack: Attack,
    victims: Victims,
    key: ForeignKey | None,
) -> Probe:
    """Run one attack and roll it back."""
    statement = target.compose(attack.statement, key)
    name = f"{attack.name} {key.name}" if key else attack.name
    planned = Probe(target.label, name, ROLE, statement.as_string(attacker), NOT_PROVEN, "")
    if victims.victim_row is None or (target.tenant and victims.own_row is None):
        return replace(planned, detail="needs rows of two tenants, and there are none")

    parameters = victims.parameters
    if key:
        parameters["crossing_row"] = Jsonb(_crossing_row(target, victims, key))
    context = victims.own if attack.context == "own" else None
    try:
        attacker.execute("select lab.enter_tenant(%s)", [context])
        if attack.needs_own_rows and not _sees_own(attacker, target, victims):
            return replace(planned, detail=f"{ROLE} does not see its own rows")
        touched = attacker.execute(statement, parameters).rowcount
    except psycopg.Error as error:
        return _judge_error(planned, attack, error)
    finally:
        attacker.rollback()
    if touched == 0:
        return replace(planned, outcome=HELD)
    return replace(planned, outcome=LEAKED, detail=f"{touched} row(s) reached")


def _judge_error(planned: Probe, attack: Attack, error: psycopg.Error) -> Probe:
    """Refusals hold; a constraint violation means that row level security let the row through."""
    code = error.sqlstate or ""
    detail = f"{code} {error.diag.message_primary or error}"
    if code in attack.refused_with:
        return replace(planned, outcome=HELD, detail=detail)
    if code.startswith(_INTEGRITY_VIOLATION) and not attack.for_each:
        return replace(planned, outcome=LEAKED, detail=f"only a constraint refused it: {detail}")
    return replace(planned, detail=detail)


def _sees_own(attacker: psycopg.Connection, target: Target, victims: Victims) -> bool:
    """Without the right to read there is nothing to move either, which the statement will say."""
    try:
        with attacker.transaction():
            row = sql.queries("isolation/catalog.sql")["row"]
            return attacker.execute(target.compose(row), [victims.own]).fetchone() is not None
    except psycopg.errors.InsufficientPrivilege:
        return True


def _crossing_row(target: Target, victims: Victims, key: ForeignKey) -> dict[str, Any]:
    """One's own row under new keys, whose reference is the victim's."""
    assert victims.own_row is not None and victims.victim_row is not None
    fresh: dict[str, Any] = dict.fromkeys(target.numbers, 2**31 - 1)
    if "id" in target.columns:
        fresh["id"] = str(uuid.uuid4())
    return {
        **victims.own_row,
        **fresh,
        **{column: victims.victim_row[column] for column in key.columns},
    }

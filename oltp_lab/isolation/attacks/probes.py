"""Aiming every attack at every table by every way in, and judging what came of it.

Every probe is rolled back. Where the subject is not the lab's, ways in that commit are left out.
"""

from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from typing import Any, cast

import psycopg
from psycopg import sql as pg
from psycopg.types.json import Jsonb

from oltp_lab import sql
from oltp_lab.isolation.attacks import catalogue
from oltp_lab.isolation.attacks import targets as aims
from oltp_lab.isolation.attacks.catalogue import Attack, Role, Way
from oltp_lab.isolation.attacks.session import Reaction, Session
from oltp_lab.isolation.attacks.targets import Part, Rights, Target, Victims
from oltp_lab.isolation.subject import Subject

HELD, LEAKED, NOT_PROVEN, NOT_APPLICABLE = "held", "leaked", "not proven", "not applicable"
CONTROL = "sees its own"

_INTEGRITY_VIOLATION = "23"  # SQLSTATE class
_CROSSING_ROLE = "lab_platform"
_TRUTHS = ("true", "on", "1", "admin")


@dataclass(frozen=True)
class Probe:
    """What was tried, what was expected, and what came of it.

    ``detail`` says what leaked, what the server answered, or why nothing is proven or applicable.
    """

    table_name: str
    attack: str
    way: str
    role: str
    statement: str
    expected: str
    outcome: str
    detail: str


def run(subject: Subject, tables: Collection[str] | None = None) -> Generator[Probe, None, None]:
    """Attack every table as every role, then judge the catalog by every rule.

    ``tables`` (schema.name) are attacked alone if given; rules judge everything. It is lazy:
    who has seen enough may close it.
    """
    with ExitStack() as stack:
        administrator = stack.enter_context(closing(subject.administrator()))
        witness = stack.enter_context(closing(subject.witness()))
        # Neither may hold a lock that an attack waits for.
        administrator.autocommit = witness.autocommit = True
        found = aims.find(administrator, subject)
        roles = catalogue.roles() if subject.is_the_labs else [Role(subject.role)]
        attacked = [t for t in found if tables is None or t.label in tables]
        ground = _Ground(subject, administrator, witness, attacked)
        for role in roles:
            with ExitStack() as sessions:
                attacker = _Attacker(sessions, subject, role)
                for target in attacked:
                    yield from _attack_table(attacker, target, ground)
        yield from _rules(administrator, subject, found, [role.name for role in roles])


class _Ground:
    """What all attackers find: victims by table, other tenants, the settings that policies read."""

    def __init__(
        self,
        subject: Subject,
        administrator: psycopg.Connection,
        witness: psycopg.Connection,
        attacked: Iterable[Target],
    ) -> None:
        self.administrator, self.witness = administrator, witness
        self.targets = list(attacked)
        self.attacks, self.ways = catalogue.attacks(), catalogue.ways()
        asked = {"setting": subject.setting}
        query = sql.queries("isolation/catalog.sql")["other_settings"]
        self.settings = [name for (name,) in administrator.execute(query, asked)]
        self._victims: dict[int, Victims] = {}
        self._referring: dict[tuple[int, Part], Victims] = {}
        self._subject = subject

    def victims(self, target: Target) -> Victims:
        """The rows to attack, looked up once."""
        if target.oid not in self._victims:
            witnesses = self.witness, self.administrator
            self._victims[target.oid] = aims.victims(witnesses, self._subject, target)
        return self._victims[target.oid]

    def referring(self, target: Target, part: Part) -> Victims:
        """The rows to attack a part with, looked up once."""
        known = (target.oid, part)
        if known not in self._referring:
            victims = self.victims(target)
            self._referring[known] = aims.referring(self.witness, target, victims, part)
        return self._referring[known]

    def rights(self, role: str) -> dict[int, Rights]:
        """What the role may do, by table."""
        return aims.rights(self.administrator, role, self.targets)


class _Attacker:
    """A role with its sessions: one for most ways, and one for each that must have its own."""

    def __init__(self, stack: ExitStack, subject: Subject, role: Role) -> None:
        self.subject, self.role = subject, role
        self._stack = stack
        self._sessions: dict[str, Session] = {}
        self.rights: dict[int, Rights] = {}

    def session(self, way: Way) -> Session:
        """The session for a way, opened when first asked for."""
        name = way.name if way.its_own_session else ""
        if name not in self._sessions:
            connection = self.subject.session(self.role.name, logs_in=self.role.logs_in)
            self._stack.enter_context(closing(connection))
            connection.autocommit = True
            self._sessions[name] = Session(connection)
        return self._sessions[name]


def _attack_table(attacker: _Attacker, target: Target, ground: _Ground) -> Iterator[Probe]:
    role = attacker.role
    if not attacker.rights:
        attacker.rights = ground.rights(role.name)
    rights = attacker.rights[target.oid]
    victims = ground.victims(target)
    shots: list[_Shot] = []
    for attack in ground.attacks:
        told = Probe(target.label, attack.name, "", role.name, "", attack.expected, "", "")
        if reason := _spared(role, target, attack):
            yield replace(told, outcome=NOT_APPLICABLE, detail=reason)
            continue
        for part in target.parts(attack.for_each, rights):
            aimed = ground.referring(target, part) if part and target.tenant else victims
            shots.append(_Shot(attack, part, aimed))
    for way in ground.ways:
        if role.comes(way) and not (rights.none and way.name != "own_context"):
            yield from _by_way(attacker, target, ground, way, shots)


def _spared(role: Role, target: Target, attack: Attack) -> str | None:
    """Why the attack is not tried on the table."""
    if reason := role.spares(target.label, attack.name):
        return reason
    if not target.stored and attack.kind != "query":
        return "it is a view"
    if not target.stored and "{position}" in attack.statement:
        return "a view's rows have no position"
    names_tenant = any(f"{{{word}}}" in attack.statement for word in ("tenant", "own", "victim"))
    if names_tenant and not target.tenant:
        return "it has no tenant's column: it is attacked without a context"
    if (
        attack.for_each
        and not target.parts(attack.for_each, _NO_RIGHTS)
        and not target.foreign_keys
    ):
        return f"it has no {attack.for_each}"
    return None


_NO_RIGHTS = Rights((), (), readable=False, deletable=False)


def _by_way(
    attacker: _Attacker,
    target: Target,
    ground: _Ground,
    way: Way,
    shots: Iterable["_Shot"],
) -> Iterator[Probe]:
    """Every attack by one way; first of all, does the way lead to one's own rows?"""
    if target.tenant is None and way.sees != "nothing":
        return
    victims = ground.victims(target)
    plain = Probe(
        target.label, CONTROL, way.name, attacker.role.name, "", "a row, or the way closed", "", ""
    )
    if target.tenant and victims.victim is None:
        yield replace(plain, attack="any", outcome=NOT_PROVEN, detail=victims.missing(target) or "")
        return
    own = victims.own
    if way.as_tenant and (own := victims.in_state.get(way.as_tenant)) in {None, victims.victim}:
        reason = f"there is no other {way.as_tenant}"
        yield replace(plain, attack="any", outcome=NOT_APPLICABLE, detail=reason)
        return
    victims = replace(victims, own=own)
    variants = list(_variants(attacker, way, target, ground, victims))
    if reason := _closed(attacker.subject, way, variants):
        yield replace(plain, attack="any", outcome=NOT_APPLICABLE, detail=reason)
        return
    session = attacker.session(way)
    for label, composed in variants:
        pieces = {name: piece.as_string(session.connection) for name, piece in composed.items()}
        named = f"{way.name} {label}".strip()
        if (control := _control(attacker, target, way, pieces, victims)) is not None:
            yield replace(plain, way=named, **control)
            if control["outcome"] == HELD and control["detail"]:
                return
        for shot in shots:
            if not way.tries(shot.attack):
                continue
            told = replace(plain, attack=shot.name, way=named, expected=shot.attack.expected)
            if reason := shot.victims.missing(target):
                yield replace(told, outcome=NOT_PROVEN, detail=reason)
                continue
            statement = shot.statement(target, attacker.rights[target.oid], own, session)
            script = _script(way, {**pieces, "attack": statement})
            reaction = session.run(script, way.afterwards)
            outcome, detail = _judge(shot.attack, way, shot.part, reaction)
            yield replace(told, statement="\n".join(script), outcome=outcome, detail=detail)


def _variants(
    attacker: _Attacker, way: Way, target: Target, ground: _Ground, victims: Victims
) -> Iterator[tuple[str, dict[str, pg.Composable]]]:
    """What fills the placeholders of a way; several times where it says ``for each``."""
    subject = attacker.subject
    user = victims.user if attacker.role.acts_for_user else None
    pieces: dict[str, pg.Composable] = {
        "setting": pg.Literal(subject.setting),
        "enter_none": subject.enter(None),
    }
    if victims.own and victims.victim:
        pieces["enter_own"] = subject.enter(victims.own, user)
        pieces["enter_victim"] = subject.enter(victims.victim)
        pieces["own_text"] = pg.Literal(victims.own)
        pieces["victim_text"] = pg.Literal(victims.victim)
    if user:
        pieces["enter_user"] = subject.enter(None, user)
    if subject.is_the_labs or target.tenant_type == "uuid":
        pieces["unknown_tenant"] = pg.Literal("00000000-0000-7000-8000-000000000000")
    if attacker.role.logs_in and subject.is_the_labs and attacker.role.name != _CROSSING_ROLE:
        pieces["crossing_role"] = pg.Identifier(_CROSSING_ROLE)
    if way.for_each is None:
        yield "", pieces
        return
    for name in ground.settings:
        for value in _TRUTHS:
            other = {"other_setting": pg.Literal(name), "other_value": pg.Literal(value)}
            yield f"{name} = {value}", {**pieces, **other}


def _closed(subject: Subject, way: Way, variants: list[tuple[str, dict[str, Any]]]) -> str | None:
    """Why a way does not exist here."""
    if way.commits and not subject.is_the_labs:
        return "it needs a commit, and nothing is committed in a database that the lab did not make"
    if not variants:
        return "policies ask for nothing but the tenant"
    if missing := way.placeholders - variants[0][1].keys():
        return f"needs {way.needs or ', '.join(sorted(missing))}, and there is none"
    return None


def _control(
    attacker: _Attacker,
    target: Target,
    way: Way,
    pieces: dict[str, str],
    victims: Victims,
) -> dict[str, Any] | None:
    """A way that shows not even one's own rows would prove nothing; None where it need not."""
    if way.sees != "own" or not attacker.role.sees_own or not attacker.rights[target.oid].readable:
        return None
    if reason := victims.missing(target):
        return {"outcome": NOT_PROVEN, "detail": reason}
    assert victims.own
    query = pg.SQL(sql.queries("isolation/catalog.sql")["own_row_is_visible"].rstrip(";"))
    control = query.format(**target.names, own=target.value(victims.own))
    session = attacker.session(way)
    statement = control.as_string(session.connection)
    script = _script(way, {**pieces, "attack": statement})
    reaction = session.run(script, way.afterwards)
    told = f"{reaction.code} {reaction.words}"
    outcome, detail = NOT_PROVEN, f"{attacker.role.name} does not see its own rows: {told}"
    if reaction.rows:
        outcome, detail = HELD, ""
    elif reaction.code in way.refused_with | {catalogue.INSUFFICIENT_PRIVILEGE}:
        outcome, detail = HELD, f"the way is closed: {told}"
    return {"outcome": outcome, "detail": detail, "statement": "\n".join(script)}


@dataclass
class _Shot:
    """An attack, the part of a table that it is aimed at, and the rows. It is written once."""

    attack: Attack
    part: Part | None
    victims: Victims
    written: dict[str | None, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.attack.name} {self.part.name}".strip() if self.part else self.attack.name

    def statement(self, target: Target, rights: Rights, own: str | None, session: Session) -> str:
        """The attack with everything filled in, by the tenant ``own``."""
        if own not in self.written:
            victims = replace(self.victims, own=own)
            composed = _statement(self.attack, target, rights, self.part, victims)
            self.written[own] = composed.as_string(session.connection)
        return self.written[own]


def _statement(
    attack: Attack, target: Target, rights: Rights, part: Part | None, victims: Victims
) -> pg.Composed:
    """The attack with everything filled in."""
    insertable = rights.insertable or target.columns
    pieces: dict[str, pg.Composable] = {
        **target.names,
        "columns": aims.columns(insertable),
        "source_columns": pg.SQL(", ").join(pg.Identifier("source", c) for c in insertable),
        "column": pg.Identifier((rights.updatable or target.columns)[0]),
        "position": pg.SQL("{}::tid").format(victims.position),
        "victim_row": pg.Literal(Jsonb(victims.victim_row)),
    }
    if victims.own and victims.victim:
        pieces |= {"own": target.value(victims.own), "victim": target.value(victims.victim)}
    if part:
        pieces["key"] = aims.columns(part.columns)
        if "{crossing_row}" in attack.statement:
            pieces["crossing_row"] = pg.Literal(Jsonb(victims.crossing_row(target, part)))
    return pg.SQL(attack.statement).format(**pieces)


def _script(way: Way, pieces: dict[str, str]) -> list[str]:
    """The way with pieces that psycopg has written."""
    return [section.format(**pieces) for section in way.sections]


def _judge(attack: Attack, way: Way, part: Part | None, reaction: Reaction) -> tuple[str, str]:
    """Refusals hold; a violated constraint means that row level security let the row through."""
    code, words = reaction.code, f"{reaction.code} {reaction.words}"
    if code is None:
        return _judge_success(attack, reaction)
    if code in attack.leaks_with:
        return LEAKED, words
    if code in attack.refused_with | way.refused_with:
        return HELD, words
    if code.startswith(_INTEGRITY_VIOLATION) and part is None:
        return LEAKED, f"only a constraint refused it: {words}"
    return NOT_PROVEN, words


def _judge_success(attack: Attack, reaction: Reaction) -> tuple[str, str]:
    if attack.accepted == "leaks":
        return LEAKED, "it was accepted"
    if attack.accepted == "rows" and reaction.rows:
        seen = f": {reaction.words}" if reaction.words else ""
        return LEAKED, f"{reaction.rows} row(s) reached{seen}"
    return HELD, ""


def _rules(
    administrator: psycopg.Connection,
    subject: Subject,
    found: Iterable[Target],
    roles: list[str],
) -> Iterator[Probe]:
    """What the catalog must say, whatever an attack came to."""
    asked = {
        "targets": [target.oid for target in found],
        "roles": [role for role in roles if role != "lab_owner"],
        "all": subject.is_the_labs,
    }
    for file in sql.files("isolation/rules"):
        text = sql.read(file)
        if "-- only: the lab" in text and not subject.is_the_labs:
            continue
        rule = cast(str, file).rpartition("/")[2].removesuffix(".sql")
        problems: dict[str, list[str]] = {}
        for label, problem in administrator.execute(text, asked):
            problems.setdefault(label, []).extend([problem] if problem else [])
        for label, told in problems.items():
            outcome = LEAKED if told else HELD
            yield Probe(
                label, rule, "catalog", "any", "", "no such thing", outcome, "; ".join(told)
            )

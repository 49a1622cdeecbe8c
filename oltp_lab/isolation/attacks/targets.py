"""What there is to attack, read from the catalog, and the rows it is attacked with."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from psycopg import sql as pg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from oltp_lab import sql
from oltp_lab.isolation.subject import Subject

_QUERIES = "isolation/catalog.sql"
_LARGEST = 2**31 - 1
_STATES = ("suspended", "deleted")


@dataclass(frozen=True)
class Part:
    """Columns of a table that an attack is aimed at: a key, or a reference without the tenant."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """A table or view. ``tenant`` is the column that names the tenant, if there is one.

    ``numbers`` and ``words`` are the integers and texts of its unique keys; ``stored`` says that
    it is no view.
    """

    oid: int
    schema: str
    name: str
    stored: bool
    tenant: str | None
    tenant_type: str | None
    columns: tuple[str, ...]
    numbers: tuple[str, ...]
    words: tuple[str, ...]
    primary_key: tuple[str, ...] | None
    foreign_keys: tuple[Part, ...] = ()
    guessable_keys: tuple[Part, ...] = ()

    @property
    def label(self) -> str:
        """schema.name"""
        return f"{self.schema}.{self.name}"

    @property
    def names(self) -> dict[str, pg.Composable]:
        """What statements call the table and its tenant's column."""
        names: dict[str, pg.Composable] = {"table": pg.Identifier(self.schema, self.name)}
        if self.tenant:
            names["tenant"] = pg.Identifier(self.tenant)
        return names

    def value(self, tenant: str) -> pg.Composed:
        """A tenant as a literal of the column's type."""
        return pg.SQL("{}::{}").format(tenant, pg.SQL(self.tenant_type or "text"))  # type: ignore[arg-type]

    def parts(self, kind: str | None, rights: "Rights") -> Sequence[Part | None]:
        """What an attack that says ``for each: kind`` is aimed at; None is the table as a whole."""
        if kind is None:
            return [None]
        if kind == "primary key":
            return [Part("", self.primary_key)] if self.primary_key else []
        if self.tenant is None:
            return []
        if kind == "guessable key":
            return self.guessable_keys
        updatable = kind.startswith("updatable")
        return [k for k in self.foreign_keys if rights.may_update(k.columns) == updatable]


@dataclass(frozen=True)
class Rights:
    """What a role may do to a table at all, row level security aside."""

    insertable: tuple[str, ...]
    updatable: tuple[str, ...]
    readable: bool
    deletable: bool

    @property
    def none(self) -> bool:
        return not (self.insertable or self.updatable or self.readable or self.deletable)

    def may_update(self, columns: Iterable[str]) -> bool:
        """All of these columns?"""
        return set(columns) <= set(self.updatable)


@dataclass(frozen=True)
class Victims:
    """Two tenants that have rows in a table, a row of each, and where the victim's is stored.

    ``in_state`` holds other tenants that might attack, by what they are, like suspended tenant.
    """

    own: str | None = None
    victim: str | None = None
    own_row: Mapping[str, Any] | None = None
    victim_row: Mapping[str, Any] | None = None
    position: str = "(0,1)"
    user: str | None = None
    in_state: Mapping[str, str] = field(default_factory=dict)

    def missing(self, target: Target) -> str | None:
        """Why nothing is proven with these."""
        if target.tenant is None:
            return None if self.victim_row else "needs a row, and there is none"
        if self.own_row is None or self.victim_row is None:
            return "needs rows of two tenants, and there are none"
        return None

    def crossing_row(self, target: Target, part: Part) -> dict[str, Any]:
        """One's own row under new keys, whose part is the victim's."""
        assert self.own_row is not None and self.victim_row is not None
        fresh: dict[str, Any] = dict.fromkeys(target.numbers, _LARGEST)
        for column in target.words:
            fresh[column] = f"{uuid.uuid4().hex[:8]}{self.own_row[column] or ''}"
        if "id" in target.columns:
            fresh["id"] = str(uuid.uuid4())
        return {
            **self.own_row,
            **fresh,
            **{column: self.victim_row[column] for column in part.columns},
        }


def find(administrator: psycopg.Connection, subject: Subject) -> list[Target]:
    """Every table and view that is subject to isolation, by name."""
    queries = sql.queries(_QUERIES)
    shared: list[int] = []
    if subject.is_the_labs:
        (shared,) = administrator.execute(queries["shared_tables"]).fetchone() or ([],)
    asked: dict[str, Any] = {
        "all": subject.is_the_labs,
        "shared": shared,
        "tenant_columns": list(subject.tenant_columns),
        "tenants_by_table": Jsonb(dict(subject.tenants_by_table)),
    }
    with administrator.cursor(row_factory=dict_row) as cursor:
        found = [_target(row) for row in cursor.execute(queries["targets"], asked)]
        asked["targets"] = [target.oid for target in found]
        keys = {
            kind: _parts(cursor.execute(queries[kind], asked))
            for kind in ("foreign_keys", "guessable_keys")
        }
    return [
        replace(target, **{kind: tuple(keys[kind].get(target.oid, ())) for kind in keys})
        for target in found
    ]


def rights(
    administrator: psycopg.Connection, role: str, targets: Iterable[Target]
) -> dict[int, Rights]:
    """What the role may do, by oid."""
    asked = {"role": role, "targets": [target.oid for target in targets]}
    query = sql.queries(_QUERIES)["columns"]
    return {
        oid: Rights(tuple(insertable), tuple(updatable), readable, deletable)
        for oid, insertable, updatable, readable, deletable in administrator.execute(query, asked)
    }


def victims(witnesses: Iterable[psycopg.Connection], subject: Subject, target: Target) -> Victims:
    """The rows, as the first session that may look; none where none may."""
    for witness in witnesses:
        with suppress(psycopg.errors.InsufficientPrivilege), witness.transaction():
            return _victims(witness, subject, target)
    return Victims()


def referring(witness: psycopg.Connection, target: Target, found: Victims, part: Part) -> Victims:
    """The same with a row of the victim whose part is not null, or there is nothing to refuse."""
    names = {**target.names, "key": columns(part.columns)}
    query = pg.SQL(sql.queries(_QUERIES)["referring_row"]).format(**names)
    (row,) = witness.execute(query, [found.victim]).fetchone() or (None,)
    return replace(found, victim_row=row)


def columns(names: Iterable[str]) -> pg.Composed:
    """A list of columns, as statements have it."""
    return pg.SQL(", ").join(map(pg.Identifier, names))


def _victims(witness: psycopg.Connection, subject: Subject, target: Target) -> Victims:
    def fetch(name: str, *parameters: object) -> tuple[Any, ...]:
        query = pg.SQL(sql.queries(_QUERIES)[name]).format(**target.names)
        return witness.execute(query, parameters or None).fetchone() or (None, None)

    if target.tenant is None:
        row, position = fetch("any_row")
        own, victim = fetch("two_tenants") if subject.is_the_labs else (None, None)
        return Victims(own, victim, None, row, position or "(0,1)")
    own = user = None
    in_state: dict[str, str] = {}
    if subject.is_the_labs:
        own = fetch("active_tenant")[0]
    own = own or fetch("last_tenant")[0]
    if own is None:
        return Victims()
    victim = None
    if subject.is_the_labs:
        victim = fetch("other_tenant", own)[0]
        user = fetch("lonely_member", own)[0]
        in_state = {f"{state} tenant": fetch("tenant_in_state", state)[0] for state in _STATES}
    victim = victim or fetch("first_tenant")[0]
    if victim == own:
        return Victims()
    kind = "row" if target.stored else "row_of_view"
    row, position = fetch(kind, victim)
    return Victims(own, victim, fetch(kind, own)[0], row, position, user, in_state)


def _target(found: Mapping[str, Any]) -> Target:
    lists = {key: tuple(value) for key, value in found.items() if isinstance(value, list)}
    return Target(**{**found, **lists})


def _parts(found: Iterable[Mapping[str, Any]]) -> dict[int, list[Part]]:
    parts: dict[int, list[Part]] = {}
    for row in found:
        parts.setdefault(row["oid"], []).append(Part(row["name"], tuple(row["columns"])))
    return parts

"""What the oracle knows of a database before it asks: tables, ways between them, rows, tenants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql as pg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.isolation.oracle.grammar import Column, Edge, Table
from oltp_lab.isolation.subject import Subject

_CATALOG = "isolation/oracle/catalog.sql"
_VISIBLE = "isolation/oracle/visible.sql"
LONGEST = 200
"""Characters of a value that is worth a place in a query."""

_Values = dict[str, dict[str, list[str]]]  # by column, then tenant


@dataclass(frozen=True)
class Relation:
    """A table in SQL, and the query of what a tenant may see of it."""

    schema: str
    name: str
    tenant: str | None
    tenant_type: str | None

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def identifier(self) -> pg.Identifier:
        return pg.Identifier(self.schema, self.name)

    def visible(self, tenant: pg.Composable) -> pg.Composed:
        """Its rows that are the tenant's: as described, else by its column."""
        described = sql.queries(_VISIBLE)
        return pg.SQL(described.get(f"{self.schema}__{self.name}", described["by_column"])).format(
            table=self.identifier,
            column=pg.Identifier(self.tenant or ""),
            type=pg.SQL(cast(LiteralString, self.tenant_type or "")),
            tenant=tenant,
        )


@dataclass(frozen=True)
class World:
    """Tables by number, and the tenants that have rows in each.

    ``left_out`` are tables with a tenant's column but without row level security, elsewhere than
    in the lab's own database, where those are attacked as well.
    """

    tables: tuple[Table, ...]
    relations: tuple[Relation, ...]
    tenants: tuple[tuple[str, ...], ...]
    left_out: tuple[str, ...]
    _filtered: dict[str | None, list[pg.SQL]] = field(default_factory=dict)

    def everything(self) -> list[pg.Composable]:
        """The tables themselves."""
        return [relation.identifier for relation in self.relations]

    def filtered(self, tenant: str | None) -> Sequence[pg.Composable]:
        """What the tenant may see of each; without one, nothing."""
        if tenant not in self._filtered:
            literal = pg.Literal(tenant)
            parts = [pg.SQL("({})").format(r.visible(literal)).as_string() for r in self.relations]
            self._filtered[tenant] = [pg.SQL(cast(LiteralString, part)) for part in parts]
        return self._filtered[tenant]

    def unproven(self) -> list[str]:
        """Tables in which no tenant has a row."""
        return [t.label for t, owners in zip(self.tables, self.tenants, strict=True) if not owners]


def read(witness: psycopg.Connection, subject: Subject, pool: int, samples: int) -> World:
    """Look around as the one who sees everything; values are from ``samples`` rows a tenant.

    Raises LabError where no two tenants have rows, since there is nothing to tell apart.
    """
    queries = sql.queries(_CATALOG)
    asked = {
        "role": subject.role,
        "tenant_columns": list(subject.tenant_columns),
        "tenants_by_table": Jsonb(subject.tenants_by_table),
        "described": [n for n in sql.queries(_VISIBLE) if "__" in n] if subject.is_the_labs else [],
    }
    with witness.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(queries["tables"], asked).fetchall()
        keys = cursor.execute(queries["foreign_keys"]).fetchall()
    kept = [table for table in found if subject.is_the_labs or table["secured"]]
    relations = tuple(Relation(t["schema"], t["name"], t["tenant"], t["tenant_type"]) for t in kept)
    tenants = _pool(witness, relations, pool) if relations else []
    if len(tenants) < 2:
        raise LabError(
            f"no two tenants have rows that {subject.role} may read, so there is nothing to tell "
            f"apart: load rows, or name another tenant column than {subject.tenant_columns[0]}"
        )
    edges = _edges(kept, keys, subject)
    tables, owners = [], []
    for relation, table in zip(relations, kept, strict=True):
        values, having = _sampled(witness, relation, table, tenants, samples)
        tables.append(_table(table, edges.get((relation.schema, relation.name), []), values))
        owners.append(tuple(having))
    left_out = tuple(f"{t['schema']}.{t['name']}" for t in found if t not in kept)
    return World(tuple(tables), relations, tuple(owners), left_out)


def _pool(witness: psycopg.Connection, relations: Sequence[Relation], each: int) -> list[str]:
    """Tenants, the smallest first, so that each table has some that have rows in it."""
    queries = sql.queries(_CATALOG)
    counts = [
        pg.SQL(queries["count"]).format(
            number=pg.Literal(number),
            table=relation.identifier,
            tenant=pg.Identifier(relation.tenant),
        )
        for number, relation in enumerate(relations)
        if relation.tenant
    ]
    query = pg.SQL(queries["pool"]).format(
        counts=pg.SQL(" union all ").join(counts), each=pg.Literal(each)
    )
    return [tenant for (tenant,) in witness.execute(query).fetchall()] if counts else []


def _sampled(
    witness: psycopg.Connection,
    relation: Relation,
    table: Mapping[str, Any],
    tenants: list[str],
    samples: int,
) -> tuple[_Values, list[str]]:
    """Literals of values by column and tenant, and the tenants that have rows."""
    names = [column["name"] for column in table["columns"]]
    query = pg.SQL(sql.queries(_CATALOG)["sample"]).format(
        columns=pg.SQL(", ").join(
            pg.SQL("v.{0}::text as {0}").format(pg.Identifier(name)) for name in names
        ),
        visible=relation.visible(pg.SQL("p.tenant")),
    )
    values: _Values = {name: {} for name in names}
    having: dict[str, None] = {}
    rows = witness.execute(query, {"tenants": tenants, "samples": samples})
    for tenant, row in rows.fetchall():
        having[tenant] = None
        for name, value in row.items():
            if value is not None and len(value) <= LONGEST:
                known = values[name].setdefault(tenant, [])
                literal = _quoted(pg.Literal(value))
                if literal not in known:
                    known.append(literal)
    return values, list(having)


def _table(table: Mapping[str, Any], edges: list[Edge], values: _Values) -> Table:
    columns = tuple(
        Column(
            _quoted(pg.Identifier(column["name"])),
            column["type"],
            frozenset(column["kinds"]),
            values[column["name"]],
        )
        for column in table["columns"]
    )
    exact = {column.name for column in columns if "exact" in column.kinds}
    key = tuple(_quoted(pg.Identifier(name)) for name in table["key"])
    return Table(
        f"{table['schema']}.{table['name']}",
        columns,
        key if set(key) <= exact else (),
        tuple(edges),
        table["whole"],
    )


def _edges(
    tables: Sequence[Mapping[str, Any]], keys: Sequence[Mapping[str, Any]], subject: Subject
) -> dict[tuple[str, str], list[Edge]]:
    """Ways along foreign keys, both directions, with the tenant's columns and, loosely, without."""
    numbers = {(table["schema"], table["name"]): number for number, table in enumerate(tables)}
    readable = {
        (table["schema"], table["name"]): {
            c["name"] for c in table["columns"] if "exact" in c["kinds"]
        }
        for table in tables
    }
    edges: dict[tuple[str, str], list[Edge]] = {}
    for key in keys:
        here, there = (key["schema"], key["name"]), (key["other_schema"], key["other_name"])
        if here not in numbers or there not in numbers:
            continue
        pairs = list(zip(key["columns"], key["other_columns"], strict=True))
        if not all(a in readable[here] and b in readable[there] for a, b in pairs):
            continue
        loose = [pair for pair in pairs if pair[0] not in subject.tenant_columns]
        for columns in (pairs, loose) if 0 < len(loose) < len(pairs) else (pairs,):
            near = tuple(_quoted(pg.Identifier(a)) for a, _ in columns)
            far = tuple(_quoted(pg.Identifier(b)) for _, b in columns)
            edges.setdefault(here, []).append(Edge(numbers[there], near, far))
            edges.setdefault(there, []).append(Edge(numbers[here], far, near))
    return edges


def _quoted(part: pg.Composable) -> str:
    """As it stands in a query of the grammar, where braces are tables."""
    return part.as_string().replace("{", "{{").replace("}", "}}")

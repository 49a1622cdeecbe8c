"""Random changes of whatever is mirrored: rows that move, change, go, and come twice."""

import random
from collections import Counter
from typing import LiteralString, cast

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from oltp_lab.servers import Database
from oltp_lab.warehouse.tables import MIRRORED, TableSpec

# By kind. ``take`` gives rows the value of another row of the tenant: another campaign, another
# status, name, amount or day.
_CHANGES = {
    "take": """
        update {table} as t set {column} = other.value
        from (select distinct on ({tenant}) {tenant} as tenant, t.{column} as value
              from {table} as t order by {tenant}, md5(t.id::text || {seed})) as other
        where {tenant} = other.tenant and t.{column} is distinct from other.value
          and t.id in (select id from {table} order by md5({seed} || id::text) limit {rows})""",
    "shift": """
        update {table} set {column} = {column} + interval '1 day' * {days}
        where id in (select id from {table} order by md5({seed} || id::text) limit {rows})""",
    "delete": """
        delete from {table}
        where id in (select id from {table} order by md5({seed} || id::text) limit {rows})""",
    "copy": """
        insert into {table} ({columns})
        select {columns} from {table} order by md5({seed} || id::text) limit {rows}""",
}
_COLUMNS = """
select column_name, data_type from information_schema.columns
where table_schema = %s and table_name = %s and is_generated = 'NEVER'
  and column_name not in ('id', 'change_xid')
order by ordinal_position
"""
_REFUSED = (psycopg.IntegrityError, psycopg.errors.RaiseException)


class Changes:
    """Changes to a database, the same for the same seed; ``made`` counts them by table and kind."""

    def __init__(self, database: Database, seed: int) -> None:
        self.database = database
        self.choice = random.Random(seed)
        self.made: Counter[tuple[str, str]] = Counter()
        with database.connect() as owner:
            self.columns: dict[TableSpec, dict[str, str]] = {
                table: dict(owner.execute(_COLUMNS, [table.schema, table.name]).fetchall())
                for table in MIRRORED
            }

    def make(self, of_each: int) -> None:
        """So many changes of each mirrored table, in any order and in transactions of any length.

        What a constraint refuses is undone.
        """
        tables = list(MIRRORED) * of_each
        self.choice.shuffle(tables)
        with self.database.connect() as owner:
            for table in tables:
                kind = self.choice.choice(("take", "take", "shift", "delete", "copy"))
                if not self._change(owner, table, kind, self.choice.randint(2, 20)):
                    self._change(owner, table, kind, 1)
                if self.choice.random() < 0.2:
                    owner.commit()

    def purge(self) -> None:
        """Delete a tenant that has campaigns, and all that it had."""
        with self.database.connect("lab_platform", autocommit=True) as platform:
            active = "select distinct tenant_id from campaigns.events order by 1"
            (tenant,) = self.choice.choice(platform.execute(active).fetchall())
            deleted = "update public.tenants set status = 'deleted', deleted = now() where id = %s"
            platform.execute(deleted, [tenant])
            purged = "select finished from tenancy.purge_tenant(%s)"
            while platform.execute(purged, [tenant]).fetchone() != (True,):
                pass

    def _change(self, owner: psycopg.Connection, table: TableSpec, kind: str, rows: int) -> bool:
        """Whether it was accepted and there was anything to change."""
        columns = self.columns[table]
        times = [name for name, type_ in columns.items() if type_.startswith(("time", "date"))]
        kind = "take" if kind == "shift" and not times else kind
        whose = Identifier("t", "tenant_id") if "tenant_id" in columns else SQL("(t.id is null)")
        change = cast(LiteralString, _CHANGES[kind])
        statement = SQL(change).format(
            table=table.source,
            tenant=whose,
            column=Identifier(self.choice.choice(times if kind == "shift" else list(columns))),
            columns=SQL(", ").join(map(Identifier, columns)),
            days=Literal(self.choice.choice((-40, -1, 1, 3))),
            seed=Literal(str(self.choice.random())),
            rows=Literal(rows),
        )
        try:
            with owner.transaction():
                touched = owner.execute(statement).rowcount
        except _REFUSED:
            return False
        self.made[table.name, kind] += touched
        return touched > 0

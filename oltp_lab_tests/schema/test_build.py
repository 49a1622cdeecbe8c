"""The schema is built once, again when its SQL changed, and all or nothing."""

from pathlib import Path

import psycopg
import pytest
from psycopg import sql as pg

from oltp_lab.errors import LabError
from oltp_lab.schema import build
from oltp_lab.servers import Database


def _incarnation(database: Database) -> object:
    with database.connect() as connection:
        return connection.execute("select incarnation from lab.incarnation").fetchone()


def test_unchanged_sql_changes_nothing(database: Database) -> None:
    before = _incarnation(database)
    assert not build.ensure(database).rebuilt
    assert _incarnation(database) == before


def test_edited_sql_rebuilds(database: Database, editable_sql: Path) -> None:
    before = _incarnation(database)
    (editable_sql / "operations" / "extra.sql").write_text("create table lab.extra (id int);")
    assert build.ensure(database).rebuilt
    assert _incarnation(database) != before
    assert not build.ensure(database).rebuilt


def test_broken_sql_leaves_the_database_as_it_was(database: Database, editable_sql: Path) -> None:
    before = _incarnation(database)
    (editable_sql / "operations/zz.sql").write_text("create table lab.extra (id nonsense);")
    with pytest.raises(psycopg.errors.UndefinedObject):
        build.ensure(database)
    assert _incarnation(database) == before


def test_locked_tables_are_named_not_waited_for(
    database: Database, editable_sql: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roles = editable_sql / "schema" / "roles.sql"
    roles.write_text(roles.read_text() + "\nset local lock_timeout = '50ms';\n")
    with database.connect("lab_platform") as holder:
        holder.execute("select from campaigns.leads")
        with pytest.raises(LabError, match=r"keeps tables of .* locked"):
            build.ensure(database)


def test_a_role_of_somebody_else_is_not_taken_over(database: Database, editable_sql: Path) -> None:
    comment = pg.SQL("comment on role lab_app is {}")
    with database.connect() as connection:
        (ours,) = connection.execute(
            "select shobj_description('lab_app'::regrole, 'pg_authid')"
        ).fetchone() or (None,)
        connection.execute(comment.format("accounting"))
        connection.commit()
        try:
            (editable_sql / "operations/zz.sql").write_text("select 1;")
            with pytest.raises(LabError, match=r"role lab_app exists .* OLTP_LAB_POSTGRES_URL"):
                build.ensure(database)
        finally:
            connection.execute(comment.format(ours))


def test_code_hash_follows_the_files(editable_sql: Path) -> None:
    before = build.content_hash()
    file = editable_sql / "schema" / "tables" / "20_campaigns.sql"
    file.write_text(file.read_text() + "-- edited\n")
    assert build.content_hash() != before

"""The same seed gives the same rows; they go in whole or not at all, and only when needed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg.errors import CheckViolation, InsufficientPrivilege

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.sample_data import load
from oltp_lab.servers import Database

Checksums = Callable[[Database], dict[str, object]]

TINY = """
[tiny]
tenants = 9
sending_tenants = 2
former_tenants = 1
users = 12
running_campaigns = 8
other_campaigns = 5
leads = 60
enrollments = 80
"""

LOAD_RUN = sql.read(str(Path(__file__).with_name("load_run.sql")))


def _one(database: Database, query: LiteralString) -> object:
    with database.connect("lab_platform") as connection:
        row = connection.execute(query).fetchone()
        return row[0] if row else None


def _incarnation(database: Database) -> object:
    return _one(database, "select incarnation from lab.incarnation")


def _execute(database: Database, *statements: LiteralString) -> None:
    with database.connect() as connection:
        for statement in statements:
            connection.execute(statement)


def test_same_seed_same_rows(database: Database, seeded: Database, checksums: Checksums) -> None:
    load.ensure(database, "smoke", seed=1)
    assert checksums(database) == checksums(seeded)


def test_another_seed_replaces_them_by_others(seeded: Database, checksums: Checksums) -> None:
    before = checksums(seeded)
    assert load.ensure(seeded, "smoke", seed=2).rebuilt
    after = checksums(seeded)
    shared = _one(seeded, "select array_agg(table_name::text) from lab.shared_tables")
    assert isinstance(shared, list)
    assert [t for t in after if after[t] == before[t] and t not in shared] == []


def test_nothing_is_done_when_they_are_there(seeded: Database, checksums: Checksums) -> None:
    _execute(seeded, LOAD_RUN)
    before, incarnation = checksums(seeded), _incarnation(seeded)
    assert not load.ensure(seeded, "smoke", seed=1).rebuilt
    assert (checksums(seeded), _incarnation(seeded)) == (before, incarnation)


def test_another_scale_replaces_everything(seeded: Database, editable_sql: Path) -> None:
    _execute(seeded, LOAD_RUN)
    incarnation = _incarnation(seeded)
    with (editable_sql / "sample_data/scales.toml").open("a") as scales:
        scales.write(TINY)
    assert load.ensure(seeded, "tiny", seed=1).rebuilt
    assert _one(seeded, "select count(*) from public.tenants") == 9
    assert _one(seeded, "select count(*) from campaigns.leads") == 60
    assert _one(seeded, "select count(*) from campaigns.campaigns where name = 'load'") == 0
    assert _one(seeded, "select count(*) from integration.tombstones") == 3
    assert _incarnation(seeded) != incarnation


def test_edited_sql_loads_again(seeded: Database, editable_sql: Path) -> None:
    with (editable_sql / "sample_data/20_campaigns.sql").open("a") as file:
        file.write("update campaigns.leads set first_name = 'edited';")
    assert load.ensure(seeded, "smoke", seed=1).rebuilt
    assert _one(seeded, "select bool_and(first_name = 'edited') from campaigns.leads") is True
    assert not load.ensure(seeded, "smoke", seed=1).rebuilt


def test_two_at_once_load_once(database: Database) -> None:
    with ThreadPoolExecutor(2) as both:
        builds = list(both.map(lambda _: load.ensure(database, "smoke", 1), range(2)))
    assert sorted(build.rebuilt for build in builds) == [False, True]


def test_statistics_and_visibility_are_settled(database: Database) -> None:
    load.ensure(database, "smoke", seed=1)
    unsettled = (
        "select count(*) from pg_class where relname = 'events' and relallvisible < relpages"
    )
    assert _one(database, unsettled) == 0
    analyzed = "select last_analyze is not null from pg_stat_user_tables where relname = 'events'"
    with database.connect() as administrator:
        assert administrator.execute(analyzed).fetchone() == (True,)
    # Vacuum leaves out the last range while it is not full.
    summarized = """
        select bool_and(brin_summarize_new_values(oid) <= 1)
        from pg_class where relname in ('events_change_xid_idx', 'leads_change_xid_idx')
    """
    with database.connect() as connection:
        assert connection.execute(summarized).fetchone() == (True,)


@pytest.mark.parametrize(
    ("breakage", "error"),
    [
        # Were the rows written by a superuser or an owner, the policy would not matter.
        ("drop policy platform on campaigns.events", InsufficientPrivilege),
        ("revoke insert on campaigns.events from lab_platform", InsufficientPrivilege),
        ("alter table campaigns.events add check (kind <> 'opened') not valid", CheckViolation),
    ],
)
def test_all_or_nothing(
    seeded: Database, checksums: Checksums, breakage: LiteralString, error: type[psycopg.Error]
) -> None:
    before, incarnation = checksums(seeded), _incarnation(seeded)
    _execute(seeded, breakage)
    with pytest.raises(error):
        load.ensure(seeded, "smoke", seed=2)
    _execute(seeded, "drop policy if exists platform on campaigns.events",
             "create policy platform on campaigns.events to lab_platform using (true)")  # fmt: skip
    assert (checksums(seeded), _incarnation(seeded)) == (before, incarnation)
    assert not load.ensure(seeded, "smoke", seed=1).rebuilt


def test_a_full_disk_is_told_in_one_line(seeded: Database) -> None:
    _execute(
        seeded,
        """create function lab.full() returns trigger language plpgsql as $$
           begin raise exception 'could not extend file: No space left on device'
               using errcode = 'disk_full'; end $$""",
        "create trigger full_disk before insert on campaigns.events execute function lab.full()",
    )
    with pytest.raises(LabError, match=r"No space left on device\).*OLTP_LAB_HOME"):
        load.ensure(seeded, "smoke", seed=2)


def test_an_ended_session_is_told_in_one_line(seeded: Database) -> None:
    _execute(
        seeded,
        """create function lab.crash() returns trigger language plpgsql security definer as $$
           begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$""",
        "create trigger crash before insert on campaigns.events execute function lab.crash()",
    )
    with pytest.raises(LabError, match=r"filling .* failed \(terminating connection"):
        load.ensure(seeded, "smoke", seed=2)


def test_locked_tables_are_named_not_waited_for(
    seeded: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "LOCK_TIMEOUT", "50ms")
    with seeded.connect("lab_platform") as holder:
        holder.execute("select from campaigns.leads")
        with pytest.raises(LabError, match=r"keeps tables of .* locked"):
            load.ensure(seeded, "smoke", seed=2)


def test_a_missing_schema_is_told_in_one_line(empty: Database) -> None:
    with pytest.raises(LabError, match=r"has no schema yet: run the job `build`"):
        load.ensure(empty, "smoke", seed=1)

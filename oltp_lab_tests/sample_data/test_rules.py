"""Every rule holds on the sample data, and finds each way in which one row can break it."""

from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.sample_data import rules
from oltp_lab.servers import Database

HERE = Path(__file__).parent
BREAKAGES: dict[str, LiteralString] = {
    name: statement
    for file in sorted(HERE.glob("breakages*.sql"))
    for name, statement in sql.queries(str(file)).items()
}


@pytest.fixture
def platform(sample: Database) -> Iterator[psycopg.Connection]:
    with sample.connect("lab_platform") as connection:
        rules.prepare(connection)
        yield connection
        connection.rollback()


def _broken(connection: psycopg.Connection) -> set[str]:
    return {rule.name for rule in rules.rules() if rules.judge(connection, rule).offending}


def test_every_rule_holds(platform: psycopg.Connection) -> None:
    assert _broken(platform) == set()


@pytest.mark.parametrize("rule", [rule.name for rule in rules.rules()])
def test_every_rule_finds_what_breaks_it(platform: psycopg.Connection, rule: str) -> None:
    (judged,) = (each for each in rules.rules() if each.name == rule)
    names = [name for name in BREAKAGES if name.startswith(f"{rule}_")]
    assert names
    for name in names:
        with platform.transaction(force_rollback=True):
            assert platform.execute(BREAKAGES[name]).rowcount > 0, name
            verdict = rules.judge(platform, judged)
            assert verdict.offending > 0, name
            assert 0 < len(verdict.examples) <= 10
    assert rules.judge(platform, judged) == rules.Verdict(0, [])


def test_what_load_runs_add_is_not_judged(platform: psycopg.Connection) -> None:
    platform.execute(sql.read(str(HERE / "load_run.sql")))
    assert _broken(platform) == set()
    platform.execute("update campaigns.campaigns set external_id = 'crm' where name = 'load'")
    assert {"sized", "nothing_after_departure", "sequences", "progress"} <= _broken(platform)


def test_a_rule_without_its_first_line_is_named(editable_sql: Path) -> None:
    (editable_sql / "sample_data/checks/headless.sql").write_text("select 1 where false\n")
    with pytest.raises(LabError, match=r"checks/headless.sql must begin with"):
        rules.rules()

import re
from collections import Counter
from pathlib import Path

import pytest

from oltp_lab import sql
from oltp_lab.findings import finding
from oltp_lab.findings.questions import (
    Known,
    Question,
    by_section,
    exists,
    measured_columns,
    missing,
    order,
    questions,
)
from oltp_lab_tests.findings import measured

KNOWN: Known = {
    "asset": {"oltp/campaigns/leads"},
    "check": {"oltp/campaigns/leads:isolated"},
    "mart": {"campaign_daily"},
    "measurement": {"load_operations.p95_ms"},
}


def test_every_line_of_the_challenge_is_there_once() -> None:
    lines = questions()
    assert len({line.id for line in lines}) == len(lines) == 148
    assert Counter(line.id.partition(".")[0].rstrip("-0123456789") for line in lines) == {
        "mission": 5,
        "exercise": 5 * 10,
        "cross-tier": 3 * 6,
        "test": 3 * 9,
        "pattern": 3 * 4,
        "learning": 10,
        "emerging": 4,
        "deliverables": 5,
        "format": 9,
        "start": 8,
    }
    per_exercise = {"task": 1, "build": 4, "question": 3, "challenge": 1, "goal": 1}
    for number in range(1, 6):
        kinds = Counter(line.kind for line in lines if line.id.startswith(f"exercise-{number}."))
        assert kinds == per_exercise


def test_ids_say_their_kind_and_sections_are_whole() -> None:
    lines = questions()
    assert all(line.text and line.id.split(".")[1] == line.kind for line in lines)
    for section, members in by_section(lines).items():
        assert len({line.id.partition(".")[0] for line in members}) == 1, section
    assert [line for members in by_section(lines).values() for line in members] == list(lines)


def test_answers_that_are_files_or_findings_are_there() -> None:
    named = [a for line in questions() for a in line.answers if a.startswith(("file:", "finding:"))]
    assert named
    assert [answer for answer in named if not exists(answer, {})] == []


def test_answers_of_other_kinds_are_spelled_so_that_they_can_be_looked_up() -> None:
    spelling = {
        "asset": r"[a-z_]+(/[a-z_]+)*",
        "check": r"[a-z_]+(/[a-z_]+)*:[a-z_]+",
        "mart": r"[a-z_]+",
        "measurement": r"[a-z_]+\.[a-z0-9_]+",
        "file": r"sql/.+",
        "finding": r"[a-z_]+",
    }
    for line in questions():
        for answer in line.answers:
            kind, _, name = answer.partition(":")
            assert re.fullmatch(spelling[kind], name), (line.id, answer)
        assert len(set(line.answers)) == len(line.answers), line.id


def test_every_finding_answers_something_and_has_a_place() -> None:
    named = {a.removeprefix("finding:") for line in questions() for a in line.answers}
    assert finding.names() == order()
    assert set(order()) <= named


def test_assets_and_checks_that_are_named_are_defined() -> None:
    from oltp_lab.definitions import defs

    graph = defs.get_repository_def().asset_graph
    known: Known = {
        "asset": {key.to_user_string() for key in graph.get_all_asset_keys()},
        "check": {f"{key.asset_key.to_user_string()}:{key.name}" for key in graph.asset_check_keys},
    }
    lost = missing(questions(), known)
    assert [pair for pair in lost if pair[1].startswith(("asset:", "check:"))] == []


@pytest.mark.parametrize(
    ("there", "not_there"),
    [
        ("asset:oltp/campaigns/leads", "asset:oltp/campaigns/lead"),
        ("check:oltp/campaigns/leads:isolated", "check:oltp/campaigns/leads:isolating"),
        ("mart:campaign_daily", "mart:campaign_weekly"),
        ("measurement:load_operations.p95_ms", "measurement:load_operations.p96_ms"),
        ("finding:isolation", "finding:insulation"),
        ("file:sql/findings/questions.toml", "file:sql/findings/answers.toml"),
        ("file:sql/findings/questions.toml", "file:pyproject.toml"),
        ("file:sql/findings/questions.toml", "hearsay:sql/findings/questions.toml"),
    ],
)
def test_what_is_not_there_is_missed(there: str, not_there: str) -> None:
    lines = [Question("x.build.1", "X", "build", "Build it", (there, not_there))]
    assert missing(lines, KNOWN) == [("x.build.1", not_there)]


def test_measured_columns_are_those_of_the_files(tmp_path: Path) -> None:
    assert measured_columns(measured.write(tmp_path)) == frozenset()
    store = measured.write(tmp_path, syncs=measured.syncs())
    assert {"syncs.age_s", "syncs.run_id"} <= measured_columns(store)
    assert "load_runs.tps" not in measured_columns(store)


def test_each_file_of_findings_opens_with_its_subject() -> None:
    for file in sql.files("findings"):
        first, *_ = sql.read(file).splitlines()
        assert first.startswith("-- ")
        assert "." in first

"""The page that maps the challenge to files: not stale, and its links lead somewhere."""

import re
from pathlib import Path

import pytest

from oltp_lab.findings import challenge
from oltp_lab.findings.questions import Question, questions

DOCS = Path(__file__).parents[2] / "docs"
ASKED = r"(exercise-\d\.build|pattern-\d\.task)\.\d"


def test_the_committed_page_is_that_of_the_questions() -> None:
    committed = (DOCS / "challenge.md").read_text("utf-8")
    assert committed == challenge.page(), "stale: run make docs and commit what it writes"


def test_every_link_leads_to_a_file() -> None:
    links = re.findall(r"\]\(([^)]+)\)", challenge.page())
    assert len(links) > 100
    assert [link for link in links if not (DOCS / link).is_file()] == []


def test_what_the_exercises_and_patterns_have_built_is_in_files() -> None:
    asked = [line for line in questions() if re.fullmatch(ASKED, line.id)]
    assert len(asked) == 5 * 4 + 3 * 4
    for line in asked:
        assert any(answer.startswith("file:sql/") for answer in line.answers), line.id


def test_an_open_line_is_called_open(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (
        Question("x.build.1", "X", "build", "Build it", ()),
        Question("x.build.2", "X", "build", "Link it", ("mart:daily", "check:a/b:c")),
    )
    monkeypatch.setattr(challenge, "questions", lambda: lines)
    page = challenge.page()
    assert "| build | Build it | open |" in page
    assert "[mart daily](../sql/warehouse/marts/daily.sql)<br>check `a/b:c` |" in page
    assert "1 of 2\nlines" in page

"""The page that maps each line of the challenge to its files: ``sql/findings/questions.toml``.

``python -m oltp_lab.findings.challenge FILE`` writes it.
"""

import sys
from pathlib import Path

from oltp_lab.findings.questions import by_section, questions, title
from oltp_lab.measuring import markdown

_HEAD = """\
# {title}: where each line is answered

Generated from [questions.toml](../sql/findings/questions.toml) by `make docs`: {answered} of {all}
lines are answered. One that is answered only in part, or that takes a measurement nobody has made
yet, is open. *Check* and *asset* are what Dagster knows by that name; a finding is a card of the
report.
"""
_FILES = {"file": "{}", "finding": "sql/findings/{}.sql", "mart": "sql/warehouse/marts/{}.sql"}


def page() -> str:
    """The page as markdown; its links are relative to ``docs/``."""
    lines = questions()
    answered = sum(bool(line.answers) for line in lines)
    parts = [_HEAD.format(title=title(), answered=answered, all=len(lines))]
    for section, members in by_section(lines).items():
        rows = (
            (line.kind, line.text, "<br>".join(map(_answer, line.answers)) or "open")
            for line in members
        )
        parts += [f"## {section}\n", markdown.table(("", "line", "answered by"), rows) + "\n"]
    return "\n".join(parts)


def _answer(answer: str) -> str:
    kind, _, name = answer.partition(":")
    if kind not in _FILES:
        return f"{kind} `{name}`"
    file = _FILES[kind].format(name)
    return f"[{file.removeprefix('sql/') if kind == 'file' else f'{kind} {name}'}](../{file})"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), "utf-8")

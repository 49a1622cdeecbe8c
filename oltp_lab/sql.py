"""The one module that knows where ``sql/`` is: files, named queries, content hashes."""

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import LiteralString, NamedTuple, cast

_PACKAGED = Path(__file__).parent / "_sql"  # in a wheel
ROOT = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parent.parent / "sql"

_NAME = re.compile(r"^-- name: (\w+)(?: \((\w+)\))?[^\n]*\n", re.MULTILINE)


class Step(NamedTuple):
    """A named query, and the role that its name line has in brackets."""

    name: str
    role: str | None
    text: LiteralString


def path(relative: str) -> Path:
    """The absolute path of a file or folder below ``sql/``."""
    return ROOT / relative


def read(relative: str) -> LiteralString:
    """The text of one file. It ships with the lab, so psycopg may take it for a literal."""
    return cast(LiteralString, path(relative).read_text("utf-8"))


def files(folder: str, pattern: str = "*.sql") -> list[str]:
    """Paths (relative to ``sql/``) of a folder's files, in the order of their names."""
    return sorted(str(p.relative_to(ROOT)) for p in path(folder).glob(pattern) if p.is_file())


def folders(folder: str, *descriptions: str) -> list[str]:
    """Names of its folders that hold one of these files, which make something of a folder."""
    return sorted({p.parent.name for name in descriptions for p in path(folder).glob(f"*/{name}")})


@cache
def queries(relative: str) -> dict[str, LiteralString]:
    """The queries of one file by name; each begins with a line ``-- name: lower_case_name``."""
    return {step.name: step.text for step in steps(relative)}


@cache
def steps(relative: str) -> tuple[Step, ...]:
    """The queries of one file in its order; a line ``-- name: x (role)`` says who runs it."""
    parts = _NAME.split(read(relative))
    return tuple(
        Step(name, role, cast(LiteralString, text.strip()))
        for name, role, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    )


def content_hash(*relatives: str) -> str:
    """A short hash over files and folders (all files below): equal while no byte changed."""
    digest = hashlib.sha256()
    for relative in relatives:
        place = path(relative)
        members = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
        for member in members:
            digest.update(str(member.relative_to(ROOT)).encode() + b"\0")
            digest.update(member.read_bytes() + b"\0")
    return digest.hexdigest()[:16]

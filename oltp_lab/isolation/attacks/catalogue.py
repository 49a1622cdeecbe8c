"""The catalogue: attacks, ways in, and roles, each read from its file in ``sql/isolation``.

An attack is one statement, a way in the script around it. A file begins with a comment that says
what it tries, and with lines ``-- key: value`` that say how it is judged.
"""

import re
import string
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePath
from typing import Any, LiteralString, cast

from oltp_lab import sql

INSUFFICIENT_PRIVILEGE = "42501"  # missing grants and violated policies alike

_HEADER = re.compile(r"^-- ([a-z ]+): (.+)$", re.MULTILINE)
_SECTION = re.compile(r"^-- then\n", re.MULTILINE)
_TAKES = {
    "query": {"query"},
    "statement": {"query", "locking query", "statement"},
    "any": {"query", "locking query", "statement", "utility"},
}


@dataclass(frozen=True)
class Attack:
    """One statement that must neither return nor touch a row.

    ``kind`` is query, locking query, statement or utility. ``for_each`` is what of a table it is
    aimed at one by one, if not at the table as a whole. ``context`` is the only one that it is
    tried in: none, where it may name no tenant at all, or suspended. ``accepted`` says what success
    means: it ``leaks``, it ``holds``, or ``rows`` when that depends on whether there were any.
    Codes are SQLSTATEs.
    """

    name: str
    statement: LiteralString
    kind: str
    for_each: str | None
    needs_own_rows: bool
    context: str | None
    accepted: str
    refused_with: frozenset[str]
    leaks_with: frozenset[str]

    @property
    def expected(self) -> str:
        """What holding looks like."""
        refusal = f"refused with {' or '.join(sorted(self.refused_with))}"
        told = {
            "leaks": refusal,
            "holds": f"accepted, or {refusal}",
            "rows": f"no row, or {refusal}",
        }
        return told[self.accepted]


@dataclass(frozen=True)
class Way:
    """A script around an attack; ``sees`` is what it may see: own, nothing, or something.

    Sections are sent one after the other, also when one before the last fails. ``needs`` says what
    there must be for its placeholders to be filled, ``as_tenant`` the state of the tenant that
    attacks, if not an active one.
    """

    name: str
    sections: tuple[LiteralString, ...]
    sees: str
    takes: frozenset[str]
    needs: str
    commits: bool
    for_each: str | None
    as_tenant: str | None
    its_own_session: bool
    afterwards: str | None
    refused_with: frozenset[str]

    @property
    def placeholders(self) -> frozenset[str]:
        """Names in braces, the attack's left out."""
        return frozenset(_placeholders("".join(self.sections))) - {"attack"}

    def tries(self, attack: Attack) -> bool:
        """Whether the attack fits into the script, and its context is this one."""
        contexts = {
            None,
            "suspended" if self.as_tenant else None,
            {"nothing": "none"}.get(self.sees),
        }
        return attack.kind in self.takes and attack.context in contexts


@dataclass(frozen=True)
class Exemption:
    """Attacks that are not tried on tables, and why."""

    tables: tuple[str, ...]
    attacks: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Role:
    """Whom to attack as, by which patterns of attacks and ways; ``otherwise`` is why no others."""

    name: str
    attacks: tuple[str, ...] = ("*",)
    ways: tuple[str, ...] = ("*",)
    otherwise: str = ""
    logs_in: bool = True
    sees_own: bool = True
    acts_for_user: bool = False
    exempt: tuple[Exemption, ...] = ()

    def spares(self, table: str, attack: str) -> str | None:
        """Why an attack on a table is not tried; None when it is."""
        for exemption in self.exempt:
            if _any_match(table, exemption.tables) and _any_match(attack, exemption.attacks):
                return exemption.reason
        return None if _any_match(attack, self.attacks) else self.otherwise

    def comes(self, way: Way) -> bool:
        """Whether it tries the way."""
        return _any_match(way.name, self.ways)


def attacks() -> list[Attack]:
    """Every attack, by name."""
    return [_attack(file) for file in sql.files("isolation/attacks")]


def ways() -> list[Way]:
    """Every way in, by name."""
    return [_way(file) for file in sql.files("isolation/ways")]


def roles() -> list[Role]:
    """The lab's roles, the application first."""
    described = tomllib.loads(sql.read("isolation/roles.toml"))
    return [_role(name, **settings) for name, settings in described.items()]


def _attack(file: str) -> Attack:
    name, header, statement = _parsed(file)
    accepted = "leaks" if header.get("leaks when") == "accepted" else "rows"
    return Attack(
        name=name,
        statement=statement,
        kind=header["kind"],
        for_each=header.get("for each"),
        needs_own_rows=header.get("needs") == "own rows",
        context=header.get("context"),
        accepted="holds" if header.get("holds when") == "accepted" else accepted,
        refused_with=_codes(header, "refused with") | {INSUFFICIENT_PRIVILEGE},
        leaks_with=_codes(header, "leaks with"),
    )


def _way(file: str) -> Way:
    name, header, script = _parsed(file)
    return Way(
        name=name,
        sections=tuple(cast(list[LiteralString], _SECTION.split(script))),
        sees=header["sees"],
        takes=frozenset(_TAKES[header["takes"]]),
        needs=header.get("needs", ""),
        commits="commits" in header,
        for_each=header.get("for each"),
        as_tenant=header.get("as"),
        its_own_session="session" in header,
        afterwards=header.get("afterwards"),
        refused_with=_codes(header, "refused with"),
    )


def _role(name: str, exempt: Sequence[dict[str, Any]] = (), **settings: Any) -> Role:
    lists = {key: tuple(value) for key, value in settings.items() if isinstance(value, list)}
    exemptions = tuple(
        Exemption(tuple(e["tables"]), tuple(e["attacks"]), e["reason"]) for e in exempt
    )
    return Role(name, exempt=exemptions, **{**settings, **lists})


def _parsed(file: str) -> tuple[str, dict[str, str], LiteralString]:
    """Name, header and text of a file, the text without comments but those between sections."""
    text = sql.read(file)
    kept = [line for line in text.splitlines() if not line.startswith("--") or line == "-- then"]
    return (
        PurePath(file).stem,
        dict(_HEADER.findall(text)),
        cast(LiteralString, "\n".join(kept).strip()),
    )


def _codes(header: dict[str, str], key: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", header.get(key, "")))


def _placeholders(text: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(text) if name]


def _any_match(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)

"""Covert channels: what a tenant learns of another without reading its rows, in bits a second.

Each file of ``sql/isolation/channels`` is one. It begins with its question, says what is expected
(closed, or open and why), what is observed, and how the victim acts; its queries are those of
``spies``.
"""

import random
import re
import tomllib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import PurePath
from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql as pg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.isolation.channels import spies
from oltp_lab.isolation.channels.spies import Manner, Query, Spies, Trial
from oltp_lab.measuring.information import (
    CONFIDENCE,
    detectable,
    guess,
    information,
    power,
    shift,
)
from oltp_lab.servers import Database

OPEN, CLOSED, NOT_PROVEN = "open", "closed", "not proven"
TENTH = 0.1
"""Bits a probe: the channel whose chance of being found is told as ``power``."""

FEWEST = 4
"""Trials that a rule can be learned from and tried."""

_AIMS = "isolation/channel_aims.sql"
_HEADER = re.compile(
    r"^-- (expected|closed by|observes|reads|victim|for each|draws|because|advice): (.+)$"
)


@dataclass(frozen=True)
class Lengths:
    """Trials a channel, those of a timed one, and those of a pilot for each thing tried; they end
    after ``seconds``, or ``timed_seconds``."""

    trials: int
    timed: int
    pilot: int
    seconds: float = 1.0
    timed_seconds: float = 1.0

    @classmethod
    def read(cls, scale: str) -> "Lengths":
        """As the scale wants them."""
        return cls(**tomllib.loads(sql.read("isolation/channels.toml"))["scales"][scale])


@dataclass(frozen=True)
class Channel:
    """A file's header and queries."""

    name: str
    question: str
    header: Mapping[str, str]
    queries: Mapping[str, LiteralString]

    @property
    def timed(self) -> bool:
        return self.header["observes"] == "time"

    @property
    def numeric(self) -> bool:
        return self.header["observes"] in {"number", "growth", "time"}

    def expected(self, superuser: bool) -> str:
        """What it should be here: some channels are closed by a superuser alone."""
        if self.header.get("closed by") == "superuser" and not superuser:
            return OPEN
        return self.header["expected"]


@dataclass(frozen=True)
class Measured:
    """One channel, or one thing that it was tried on; times of the spy's own, in nanoseconds."""

    channel: str
    question: str
    expected: str
    verdict: str
    trials: int
    accuracy: float | None = None
    bits_per_probe: float | None = None
    low: float | None = None
    high: float | None = None
    probes_per_second: float | None = None
    bits_per_second: float | None = None
    most_bits_per_second: float | None = None
    effect_ns: float | None = None
    detectable_ns: float | None = None
    p_value: float | None = None
    power: float | None = None
    detectable_bits: float | None = None
    detail: str = ""
    because: str = ""
    advice: str = ""


def catalogue() -> list[Channel]:
    """Every channel, by name."""
    return [_parse(file) for file in sql.files("isolation/channels")]


def _parse(file: str) -> Channel:
    lines = sql.read(file).partition("-- name:")[0].splitlines()
    header = {m[1]: m[2] for line in lines if (m := _HEADER.match(line))}
    question = [line.removeprefix("-- ") for line in lines if line and not _HEADER.match(line)]
    return Channel(PurePath(file).stem, " ".join(question), header, sql.queries(file))


def measure(
    database: Database, lengths: Lengths, *, only: Iterable[str] = (), seed: int = 1
) -> list[Measured]:
    """Measure every channel (or those named ``only``); a surprise is measured a second time.

    Raises LabError when there are no two active tenants.
    """
    wanted = set(only)
    found = []
    with (
        database.connect() as administrator,
        database.connect("lab_platform", autocommit=True) as witness,
    ):
        tenants = [row[0] for row in witness.execute(sql.queries(_AIMS)["tenants"])]
        if len(tenants) < 2:
            raise LabError(
                "covert channels need two active tenants: load the sample data first (job `build`)"
            )
        (superuser,) = administrator.execute(sql.queries(_AIMS)["superuser"]).fetchone() or (False,)
        for channel in catalogue():
            if not wanted or channel.name in wanted:
                stage = _Stage(
                    database,
                    witness,
                    channel,
                    tenants,
                    lengths,
                    random.Random(seed),
                    superuser,
                )
                found += stage.measure(_aims(administrator, channel))
    return found


def _aims(administrator: psycopg.Connection, channel: Channel) -> list[dict[str, str | None]]:
    """What the channel is tried on: parts of its queries by name."""
    if "for each" not in channel.header:
        return []
    query = sql.queries(_AIMS)[channel.header["for each"]]
    with administrator.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query).fetchall()


@dataclass(frozen=True)
class _Stage:
    """One channel's trials."""

    database: Database
    witness: psycopg.Connection
    channel: Channel
    tenants: Sequence[uuid.UUID]
    lengths: Lengths
    chance: random.Random
    superuser: bool

    def measure(self, aims: list[dict[str, str | None]]) -> list[Measured]:
        header, queries = self.channel.header, self.channel.queries
        manner = Manner(header.get("victim", "none"), header["observes"], header.get("reads"))
        with spies.sent(self.database, self.tenants, manner, queries) as pair:
            if "for each" in header:
                return self._each(pair, aims)
            full = self.lengths.timed if self.channel.timed else self.lengths.trials
            return [self._whole(pair, self.channel.name, queries, full)[0]]

    def _each(self, pair: Spies, aims: list[dict[str, str | None]]) -> list[Measured]:
        """A pilot on each; those whose answers differ are tried in full. What is closed is judged
        together, what is open by itself."""
        together: list[Trial] = []
        found: list[Measured] = []
        untried: list[str] = []
        for aim in aims:
            queries = _aimed(self.channel.queries, aim)
            trials = self._trials(pair, queries, self.lengths.pilot) if queries else []
            if _differ(trials):
                name = f"{self.channel.name} {aim['name']}"
                measured, trials = self._whole(pair, name, queries, self.lengths.trials)
                if measured.verdict == OPEN:
                    found.append(measured)
                    continue
            together += trials
            if not _reached(trials, aim.get("said") or ""):
                untried.append(aim["name"] or "")
        detail = f"{len(aims) - len(untried)} tried"
        if untried:
            detail += f"; without rows that reach it: {', '.join(untried)}"
        return [self._judged(self.channel.name, together, detail), *found]

    def _whole(
        self, pair: Spies, name: str, queries: Mapping[str, Query], count: int
    ) -> tuple[Measured, list[Trial]]:
        """What is not as its file declares is tried again, twice as long, and then believed."""
        trials, found = self._tried(pair, name, queries, count)
        if found.verdict != found.expected:
            trials, found = self._tried(pair, name, queries, 2 * count)
        return found, trials

    def _tried(
        self, pair: Spies, name: str, queries: Mapping[str, Query], count: int
    ) -> tuple[list[Trial], Measured]:
        pair.refusals.clear()
        trials = self._trials(pair, queries, count)
        often = max(set(pair.refusals), key=pair.refusals.count, default="")
        return trials, self._judged(name, trials, often)

    def _trials(self, pair: Spies, queries: Mapping[str, Query], count: int) -> list[Trial]:
        lengths = self.lengths
        seconds = lengths.timed_seconds if self.channel.timed else lengths.seconds
        return pair.run(queries, self._secrets(queries, count), seconds)

    def _secrets(self, queries: Mapping[str, Query], count: int) -> list[dict[str, Any]]:
        """Known secrets and what the spy may know of each; none when one kind is missing."""
        query = queries.get("secrets", sql.queries(_AIMS)["coin"])
        own, victim = self.tenants
        with self.witness.cursor(row_factory=dict_row) as cursor:
            told = {"own": own, "victim": victim, "trials": count}
            rows = cursor.execute(query, told).fetchall()
        kinds = [[row for row in rows if row["secret"] == secret] for secret in (True, False)]
        fewest = min(map(len, kinds))
        each = count // 2 if self.channel.header.get("draws") != "once" else min(count // 2, fewest)
        drawn = [_bindable(kind[i % len(kind)]) for kind in kinds for i in range(each) if fewest]
        self.chance.shuffle(drawn)
        return drawn

    def _judged(self, name: str, trials: list[Trial], detail: str) -> Measured:
        """The verdict, with how much would have been found."""
        channel = self.channel
        measured = Measured(
            channel=name,
            question=channel.question,
            expected=channel.expected(self.superuser),
            verdict=NOT_PROVEN,
            trials=len(trials),
            detail=detail,
            because=channel.header.get("because", ""),
            advice=channel.header.get("advice", ""),
        )
        if len(trials) < FEWEST:
            return replace(measured, detail=f"{len(trials)} trials are too few; {detail}")
        secrets, observed = zip(*((t.secret, t.observed) for t in trials), strict=True)
        guesses = guess(secrets, observed, numeric=channel.numeric)
        bits = information(guesses)
        rate = len(trials) / sum(trial.seconds for trial in trials)
        measured = replace(
            measured,
            verdict=OPEN if bits.low > 0 else CLOSED,
            accuracy=guesses.accuracy,
            bits_per_probe=bits.bits,
            low=bits.low,
            high=bits.high,
            probes_per_second=rate,
            bits_per_second=bits.bits * rate,
            most_bits_per_second=bits.high * rate,
            p_value=guesses.p_value,
            power=power(TENTH, len(trials)),
            detectable_bits=detectable(len(trials)),
        )
        return _with_shift(measured, trials) if channel.timed else measured


def _with_shift(measured: Measured, trials: Iterable[Trial]) -> Measured:
    """A difference of times is a channel too, when guesses are not sure of it yet."""
    kinds: dict[bool, list[float]] = {True: [], False: []}
    for trial in trials:
        kinds[trial.secret].append(float(trial.observed))
    found = shift(kinds[True], kinds[False])
    return replace(
        measured,
        verdict=OPEN if found.p_value < 1 - CONFIDENCE else measured.verdict,
        p_value=found.p_value,
        effect_ns=found.effect,
        detectable_ns=found.detectable,
    )


def _aimed(queries: Mapping[str, LiteralString], aim: Mapping[str, str | None]) -> dict[str, Query]:
    """The queries with the aim's parts; none where a part is missing."""
    parts = {name: pg.SQL(cast(LiteralString, text)) for name, text in aim.items() if text}
    try:
        return {name: pg.SQL(query).format(**parts) for name, query in queries.items()}
    except KeyError:
        return {}


def _differ(trials: Iterable[Trial]) -> bool:
    """Whether there was any answer to one kind of secret that the other did not get."""
    seen: dict[bool, set[float | str]] = {True: set(), False: set()}
    for trial in trials:
        seen[trial.secret].add(trial.observed)
    return seen[True] != seen[False]


def _reached(trials: Iterable[Trial], said: str) -> bool:
    """Whether a false guess was answered by what was aimed at, if that is known by a word."""
    return any(said in str(trial.observed) for trial in trials if not trial.secret)


def _bindable(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: Jsonb(value) if isinstance(value, dict) else value for name, value in row.items()}


def rows(found: Iterable[Measured]) -> list[dict[str, Any]]:
    """Rows of the measurement table ``covert_channels``."""
    return [asdict(channel) for channel in found]

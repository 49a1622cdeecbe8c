"""What needs no clock: the blocks that a script's statement reads, and the plan it is given."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql as pg

from oltp_lab.measuring import scripts
from oltp_lab.measuring.explained import blocks, name, nodes
from oltp_lab.servers import Database


@dataclass(frozen=True)
class Evidence:
    """Means over the draws: blocks found in or read into shared buffers, rows that filters removed.

    ``plan`` names the nodes of the first draw's plan, from the top down.
    """

    blocks_per_call: float
    rows_removed_per_call: float
    plan: str


def gather(
    database: Database, role: str, script: Path, draws: Sequence[Mapping[str, int]]
) -> Evidence:
    """EXPLAIN ANALYZE a script's second statement (the first enters the tenant) for every draw."""
    statements = scripts.statements(script)
    if len(statements) < 2:
        raise ValueError(f"{script} is not a pipeline of two statements")
    enter, statement = statements[:2]
    explain = pg.SQL("explain (analyze, buffers, format json) ") + pg.SQL(statement)
    plans = []
    with database.connect(role) as connection:
        for draw in draws:
            connection.execute(enter, draw)
            row = connection.execute(explain, draw).fetchone()
            assert row
            plans.append(row[0][0]["Plan"])
            connection.rollback()
    return Evidence(
        blocks_per_call=_mean(blocks(p) for p in plans),
        rows_removed_per_call=_mean(
            sum(n.get("Rows Removed by Filter", 0) * n["Actual Loops"] for n in nodes(p))
            for p in plans
        ),
        plan=" > ".join(name(node) for node in nodes(plans[0])),
    )


def _mean(values: Iterator[float]) -> float:
    collected = list(values)
    return sum(collected) / len(collected)

"""The ordeal of the content database by the hundreds.

``python -m oltp_lab.neighbours.content --kills N --crashes M`` ends with 1 when something is
dangling, an orphan, lost, or left of a purged tenant. What it found is stored as the asset's is.
"""

import sys
import uuid

import click

from oltp_lab import servers, settings
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.neighbours.content import ordeal
from oltp_lab.neighbours.content.ordeal import Extent


@click.command()
@click.option("--kills", type=click.IntRange(min=0), default=300, show_default=True)
@click.option("--crashes", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--writers", type=click.IntRange(min=1), default=4, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
def main(kills: int, crashes: int, writers: int, seed: int) -> None:
    """Kill authors, purges and reconcilers so many times (0: at each step once), and the content
    server itself, one of its own; then judge."""
    current = settings.load()
    extent = Extent(kills=kills, crashes=crashes, writers=writers, seed=seed)
    with ordeal.scene(current, to_crash=crashes > 0) as tiers:
        ledger = ordeal.run(tiers, extent)
    run = Run.of(servers.oltp(current), str(uuid.uuid4()), current.scale)
    Measurements(current.measurements).append("content_ordeal", ledger.rows(), run=run)
    for row in ledger.rows():
        click.echo(f"{row['kind']} {row['name']} {row['step']}: {row['times']:,}")
    failures = ledger.failures()
    click.echo("\n".join([ledger.headline, *failures]))
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()

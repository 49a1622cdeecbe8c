"""Hundreds of crashes of relay and worker, or events in their thousands, and what became of each.

``python -m oltp_lab.neighbours.notifications --crashes N --events M`` ends with 1 when something is
lost or doubled. What it found is stored as the asset stores it.
"""

import random
import sys
import uuid

import click

from oltp_lab import servers, settings
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.neighbours.notifications import kill, wave
from oltp_lab.neighbours.notifications.wave import Extent
from oltp_lab.sample_data import load as sample_data
from oltp_lab.schema import build


@click.command()
@click.option("--crashes", type=click.IntRange(min=0), default=300, show_default=True)
@click.option("--events", type=click.IntRange(min=20), default=2000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--limit", "limit_s", default=3600.0, show_default=True, help="Seconds.")
def main(crashes: int, events: int, seed: int, limit_s: float) -> None:
    """Send so many events through, while relay and worker are killed so often."""
    current = settings.load()
    oltp = servers.oltp(current)
    build.ensure(oltp)
    sample_data.ensure(oltp, current.scale, seed=1)
    # A campaign is two events; half of them are one tenant's.
    tenants = min(500, max(1, events // 20))
    extent = Extent(tenants, max(1, events // 4 // tenants), max(1, events // 4), limit_s)
    chance = random.Random(seed)
    points = [chance.choice((*kill.RELAY, *kill.WORKER)) for _ in range(crashes)]
    judged = wave.run(current, oltp, extent, kills=points, seed=seed, say=click.echo)
    run = Run.of(oltp, str(uuid.uuid4()), current.scale)
    Measurements(current.measurements).append("notifications", [judged.row()], run=run)
    for what, figure in judged.row().items():
        click.echo(f"{what:>16}  {figure:,.6g}")
    click.echo("; ".join(judged.failures()) or "nothing lost, nothing doubled")
    sys.exit(bool(judged.failures()))


if __name__ == "__main__":
    main()

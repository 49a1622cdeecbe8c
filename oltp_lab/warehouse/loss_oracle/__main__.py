"""``make oracle``: the loss oracle up to a thousand kills of syncs and crashes of the server.

``python -m oltp_lab.warehouse.loss_oracle --kills N`` ends with 1 when something is lost, phantom,
duplicate or stale, or nothing is shown. What it found is stored as the asset stores it.
"""

import sys
import uuid
from dataclasses import replace

import click

from oltp_lab import servers, settings
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.warehouse.loss_oracle import run as ordeal
from oltp_lab.warehouse.loss_oracle.run import DELTA, OLTP, Extent


@click.command()
@click.option("--kills", type=click.IntRange(min=1), default=1000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
def main(kills: int, seed: int) -> None:
    """Kill syncs and crash the server so many times; then judge what the warehouse holds."""
    current = settings.load()
    extent = replace(Extent.read(current.scale), kills=kills)
    judged = ordeal.run(current, extent, "make oracle", seed=seed, say=click.echo)
    run = Run.of(servers.oltp(current), str(uuid.uuid4()), current.scale)
    store = Measurements(current.measurements)
    store.append("loss_oracle", judged.verdict_rows(), run=run)
    store.append("loss_oracle_done", judged.done_rows(), run=run)
    for arm in judged.verdicts:
        kind = "" if arm in {OLTP, DELTA} else "the cursor "
        click.echo(f"{kind}{arm.replace('_', ' ')}: {judged.told(arm)}")
    wrong = judged.failures() or judged.doubts()
    click.echo("\n".join([judged.headline, *wrong]))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()

"""The commands behind ``make up``, ``down``, ``psql`` and ``clean``."""

import signal
import sys
from uuid import UUID

import click

from oltp_lab import servers, settings
from oltp_lab.servers import credentials, embedded, home, processes

_SESSION_LIMIT = 7 * 86400.0  # seconds that a prompt may be left open


@click.group()
def main() -> None:
    """The PostgreSQL servers of the lab."""


@main.command()
def up() -> None:
    """Start the servers and leave them running."""
    now = settings.load()
    servers.check(now)
    for database in (servers.oltp(now), servers.neighbours(now, "dagster")):
        server = database.server
        if server.cluster:
            server.cluster.keep.touch()
            how = f'runs: psql "{database.conninfo()}"'
        else:
            how = f"is given by {server.variable}"
        click.echo(f"{server.name} {how}")
    click.echo("`make psql` opens a prompt, `make down` stops them.")


@main.command()
def down() -> None:
    """End what is left of the lab's processes, and the servers."""
    ended = _down(settings.load())
    click.echo("\n".join(f"ended: {what}" for what in ended) or "nothing was running")


@main.command()
@click.option("--role", type=click.Choice(credentials.ROLES), help="Default: the administrator.")
@click.option("--tenant", type=UUID, help="The tenant in whose context the session is.")
def psql(role: str | None, tenant: UUID | None) -> None:
    """Open a prompt on the OLTP database, or run what comes on standard input."""
    now = settings.load()
    database = servers.oltp(now)
    database.connect(role).close()
    environment = database.environment(role)
    if tenant:
        # The lab's context is a transaction's, lest a pooled session hands it to the next user.
        # A prompt is one user's from beginning to end.
        options = environment.get("PGOPTIONS", "")
        environment["PGOPTIONS"] = f"{options} -c nile.tenant_id={tenant}".strip()
    arguments = [] if sys.stdin.isatty() else ["--set", "ON_ERROR_STOP=1"]
    signal.signal(signal.SIGINT, lambda *_: None)  # psql's to handle
    command = [servers.binary("psql"), *arguments]
    with processes.spawn(now, command, limit=_SESSION_LIMIT, environment=environment) as child:
        sys.exit(child.wait())


@main.command()
def clean() -> None:
    """End everything and remove what the lab made."""
    now = settings.load()
    _down(now)
    left = home.remove(now)
    click.echo(f"removed what the lab made in {now.home}")
    for path in left:
        click.echo(f"not the lab's, left: {path}")


def _down(now: settings.Settings) -> list[str]:
    ended = processes.end_all(now)
    for name in servers.CLUSTERS:
        if embedded.stop(servers.cluster(now, name)):
            ended.append(f"the embedded server {name}")
    return ended


if __name__ == "__main__":
    main()

"""Passwords of the login roles: generated once, kept in a file that only its owner reads."""

import json
import os
import secrets
import tempfile
from pathlib import Path

import psycopg
from psycopg import sql

ROLES = ("lab_app", "lab_auth", "lab_platform", "lab_analytics")


def passwords(path: Path) -> dict[str, str]:
    """Password by role, from ``Settings.credentials``; made on first use.

    Two processes that make the file at once end up with the same passwords.
    """
    if not path.exists():
        made = {role: secrets.token_urlsafe(24) for role in ROLES}
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent)  # mode 0600
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(made, file)
        try:
            os.link(name, path)
        except FileExistsError:
            pass
        finally:
            Path(name).unlink()
    return json.loads(path.read_text("utf-8"))


def give(connection: psycopg.Connection, path: Path) -> None:
    """Give the login roles these passwords; the server is told their SCRAM verifiers alone."""
    for role, password in passwords(path).items():
        verifier = connection.pgconn.encrypt_password(
            password.encode(), role.encode(), b"scram-sha-256"
        )
        statement = sql.SQL("alter role {} password {}")
        connection.execute(statement.format(sql.Identifier(role), sql.Literal(verifier.decode())))

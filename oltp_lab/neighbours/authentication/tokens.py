"""Secrets that are drawn: of sessions and invites, of which a digest is kept.

They cannot be guessed, as passwords can, so a fast digest will do.
"""

import hashlib
import secrets


def drawn() -> str:
    """256 random bits, fit for a URL."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What is kept of it: SHA-256, in hexadecimal."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()

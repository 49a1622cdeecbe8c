"""What is refused, in words that tell nobody who exists and repeat nothing that was given."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

PASSWORD_UNFIT = "22000"
WRONG = "28P01"
_WORDS = {
    PASSWORD_UNFIT: "a password has 8 characters or more, and at most 72 bytes",
    "22023": "it has expired, or is no address",
    "23503": "there is no such user",
    "23505": "the address is taken",
    "23514": "the tenant would have no owner",
    "28000": "the session is unknown or has expired",
    WRONG: "the address or the password is wrong",
    "42501": "not allowed",
    "54000": "too many attempts: wait",
    "55000": "the tenant is suspended or deleted",
    "P0002": "there is no such invite or member",
}


class RefusedError(Exception):
    """Something that may not be done; ``state`` is the SQLSTATE that says so."""

    def __init__(self, state: str) -> None:
        super().__init__(_WORDS[state])
        self.state = state


@contextmanager
def refusing() -> Iterator[None]:
    """What an operation refuses, as RefusedError, without the message and details of the server."""
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate not in _WORDS:
            raise
        raise RefusedError(error.sqlstate) from None

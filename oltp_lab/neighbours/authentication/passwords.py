"""Passwords, by the library bcrypt: what is kept of them, and how they are compared."""

import re
import secrets
import unicodedata

import bcrypt

from oltp_lab.errors import LabError
from oltp_lab.neighbours.authentication.refusals import PASSWORD_UNFIT, RefusedError

COST = 12
"""bcrypt's: each one more takes twice as long, 12 about a quarter of a second."""
SHORTEST = 8
LONGEST = 72
"""Bytes that bcrypt reads. Longer passwords are refused, not cut (any that begins alike would do)
and not hashed before (a list of such hashes that leaked elsewhere could be tried as it is)."""

_HASH = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")


class Passwords:
    """Hashes of one cost. A comparison takes one computation of it, whatever it is of."""

    def __init__(self, cost: int = COST) -> None:
        if not 4 <= cost <= 16:
            raise LabError(f"bcrypt's cost is {cost}: set the config's `cost` to 4 to 16")
        self._cost = cost
        self._nobodys = self._hashed(secrets.token_hex(LONGEST // 2).encode())

    def hash(self, password: str) -> str:
        """What is kept. Raises RefusedError for a password that is too short, or too long."""
        said = _bytes(password)
        if len(password) < SHORTEST or len(said) > LONGEST:
            raise RefusedError(PASSWORD_UNFIT)
        return self._hashed(said)

    def match(self, password: str, kept: str | None) -> bool:
        """Whether it is the password of this hash; of none, or of no hash at all, it never is."""
        said = _bytes(password)
        usable = kept is not None and _HASH.fullmatch(kept) is not None
        same = bcrypt.checkpw(said[:LONGEST], (kept if usable and kept else self._nobodys).encode())
        return same and usable and len(said) <= LONGEST

    def renewed(self, password: str, kept: str) -> str | None:
        """A hash of today's cost for a password that was just matched, if its own is another."""
        found = _HASH.fullmatch(kept)
        return None if found and int(found[1]) == self._cost else self.hash(password)

    def _hashed(self, said: bytes) -> str:
        return bcrypt.hashpw(said, bcrypt.gensalt(self._cost)).decode()


def _bytes(password: str) -> bytes:
    """The same for every way in which a keyboard puts its letters together."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")

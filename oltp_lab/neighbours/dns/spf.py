"""RFC 7208: does an SPF record authorize an address, and what does it cost a receiver to find out?

A record is read whole before anything is asked (4.6); the first mechanism that matches decides.
"""

import ipaddress
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

MOST_LOOKUPS, MOST_VOID, MOST_HOSTS = 10, 2, 10
"""Of terms that ask DNS, of those that get no answer, and of hosts of one ``mx``."""

Ask = Callable[[str, str], Awaitable[list[str]]]
"""The values of a name and type; raises ``UnansweredError`` where nobody can tell."""

_RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_TERM = re.compile(r"(?P<qualifier>[+?~-]?)(?P<name>[a-z0-9]+)(?P<rest>[:/]\S*)?", re.IGNORECASE)
_DOMAIN, _CIDR = r":(?P<domain>[^/\s]+)", r"(?:/(?P<v4>\d+))?(?://(?P<v6>\d+))?"
_MECHANISMS = {
    "all": "",
    "include": _DOMAIN,
    "exists": _DOMAIN,
    "ptr": f"(?:{_DOMAIN})?",
    "a": f"(?:{_DOMAIN})?{_CIDR}",
    "mx": f"(?:{_DOMAIN})?{_CIDR}",
    "ip4": r":(?P<network>[0-9.]+(?:/\d+)?)",
    "ip6": r":(?P<network>[0-9a-f.:]+(?:/\d+)?)",
}
"""How each goes on behind its name (RFC 7208, 5)."""
_BITS = {4: 32, 6: 128}
_MODIFIER = re.compile(r"(?P<name>[a-z][a-z0-9._-]*)=(?P<value>\S*)", re.IGNORECASE)
_MACRO = re.compile(r"%(?:\{([slodiphcrtv])(\d*)(r?)([.+,/_=-]*)\}|([%_-])|)", re.IGNORECASE)
_ESCAPES = {"%": "%", "_": " ", "-": "%20"}


class UnansweredError(Exception):
    """DNS gave no answer, which says nothing (RFC 7208: temperror)."""


class PermError(Exception):
    """The record cannot be evaluated, whoever asks."""


@dataclass(frozen=True)
class Evaluation:
    """What came of it; ``through`` are the domains whose records led to the match, in order."""

    result: str
    lookups: int
    through: tuple[str, ...] = ()
    problem: str | None = None


async def evaluate(record: str, domain: str, address: str, ask: Ask) -> Evaluation:
    """Evaluate the SPF record of a domain for the address that mail comes from.

    Raises UnansweredError.
    """
    walk = _Walk(ask, address, f"postmaster@{domain}")
    try:
        result, through = await walk.check(domain, record, ())
    except PermError as error:
        return Evaluation("permerror", walk.lookups, problem=str(error))
    return Evaluation(result, walk.lookups, through)


def is_spf(text: str) -> bool:
    """Is it an SPF record (of version 1), whatever it says?"""
    return re.match(r"v=spf1(\s|$)", text, re.IGNORECASE) is not None


@dataclass(frozen=True)
class _Mechanism:
    """A term that may match; ``prefixes`` are by version of address."""

    name: str
    result: str
    domain: str
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None
    prefixes: Mapping[int, int]


@lru_cache(4096)
def _mechanism(term: str) -> _Mechanism:
    """Raises PermError where the term is none."""
    found = _TERM.fullmatch(term)
    name = found["name"].lower() if found else ""
    rest = found and name in _MECHANISMS and re.fullmatch(
        _MECHANISMS[name], found["rest"] or "", re.IGNORECASE
    )  # fmt: skip
    if not found or not rest:
        raise PermError(f"{term} is no term")
    given, network = rest.groupdict(), None
    if given.get("network"):
        try:
            network = ipaddress.ip_network(given["network"], strict=False)
        except ValueError:
            raise PermError(f"{term} is no network") from None
        if network.version != int(name[-1]):
            raise PermError(f"{term} is no network")
    prefixes = {v: int(given.get(f"v{v}") or bits) for v, bits in _BITS.items()}
    if any(prefixes[version] > bits for version, bits in _BITS.items()):
        raise PermError(f"{term} has a prefix that is too long")
    result = _RESULTS[found["qualifier"] or "+"]
    return _Mechanism(name, result, given.get("domain") or "", network, prefixes)


class _Walk:
    def __init__(self, ask: Ask, address: str, sender: str) -> None:
        self.ask, self.sender = ask, sender
        self.address = ipaddress.ip_address(address)
        self.lookups = self.void = 0

    async def check(
        self, domain: str, record: str, above: tuple[str, ...]
    ) -> tuple[str, tuple[str, ...]]:
        """The result for one domain's record."""
        if domain.lower() in above:
            raise PermError(f"{domain} includes itself")
        above = (*above, domain.lower())
        mechanisms, redirect = self._read(record, domain)
        for mechanism, target in mechanisms:
            through = await self._matches(mechanism, target, above)
            if through is not None:
                return mechanism.result, (above[-1], *through)
        if redirect is None:
            return "neutral", above[-1:]
        self._count()
        result, through = await self._other(redirect, above, "redirect")
        return result, (above[-1], *through)

    def _read(self, record: str, domain: str) -> tuple[list[tuple[_Mechanism, str]], str | None]:
        """The mechanisms of a record in order with their domains, and where it is redirected to."""
        mechanisms, modifiers = [], {}
        for term in record.split()[1:]:
            if found := _MODIFIER.fullmatch(term):
                name = found["name"].lower()
                if name in modifiers and name in {"redirect", "exp"}:
                    raise PermError(f"two of {name} at {domain}")
                modifiers[name] = found["value"]
            else:
                mechanism = _mechanism(term)
                target = self._expand(mechanism.domain, domain) if mechanism.domain else domain
                mechanisms.append((mechanism, target))
        redirect = modifiers.get("redirect")
        if redirect == "":
            raise PermError(f"redirect of {domain} names no domain")
        return mechanisms, redirect and self._expand(redirect, domain)

    async def _matches(
        self, mechanism: _Mechanism, target: str, above: tuple[str, ...]
    ) -> tuple[str, ...] | None:
        """The domains through which it does; None when it does not."""
        if mechanism.name != "include":
            return () if await self._found(mechanism, target) else None
        self._count()
        result, through = await self._other(target, above, "include")
        return through if result == "pass" else None

    async def _found(self, mechanism: _Mechanism, target: str) -> bool:
        name = mechanism.name
        if name == "all":
            return True
        if mechanism.network:
            return self.address in mechanism.network
        self._count()
        if name == "ptr":  # RFC 7208: do not use
            return False
        if name == "exists":
            return bool(await self._asked(target, "A"))
        hosts = [target]
        if name == "mx":
            hosts = [value.split()[-1].rstrip(".") for value in await self._asked(target, "MX")]
            if len(hosts) > MOST_HOSTS:
                raise PermError(f"{target} has more than {MOST_HOSTS} mail servers")
        kind = "A" if self.address.version == 4 else "AAAA"
        asked = self._asked if name == "a" else self.ask
        prefix = mechanism.prefixes[self.address.version]
        for host in hosts:
            for found in await asked(host, kind):
                if self.address in ipaddress.ip_network(f"{found}/{prefix}", strict=False):
                    return True
        return False

    async def _other(
        self, target: str, above: tuple[str, ...], why: str
    ) -> tuple[str, tuple[str, ...]]:
        records = [text for text in await self.ask(target, "TXT") if is_spf(text)]
        if len(records) != 1:
            told = "no SPF record" if not records else "more than one SPF record"
            raise PermError(f"{why} of {target}, which has {told}")
        return await self.check(target, records[0], above)

    async def _asked(self, name: str, kind: str) -> list[str]:
        values = await self.ask(name, kind)
        self.void += not values
        if self.void > MOST_VOID:
            raise PermError(f"more than {MOST_VOID} void look-ups")
        return values

    def _count(self) -> None:
        self.lookups += 1
        if self.lookups > MOST_LOOKUPS:
            raise PermError(f"more than {MOST_LOOKUPS} look-ups")

    def _expand(self, text: str, domain: str) -> str:
        return expand(text, domain, str(self.address), self.sender)


def expand(text: str, domain: str, address: str, sender: str) -> str:
    """Replace macros (RFC 7208, 7). Raises PermError for what is none."""
    if "%" not in text:
        return text.rstrip(".")
    ip = ipaddress.ip_address(address)
    local, _, origin = sender.rpartition("@")
    values = {
        "s": sender,
        "l": local,
        "o": origin,
        "d": domain,
        "h": domain,
        "p": "unknown",
        "i": str(ip) if ip.version == 4 else ".".join(ip.exploded.replace(":", "")),
        "v": "in-addr" if ip.version == 4 else "ip6",
    }

    def replace(found: re.Match[str]) -> str:
        if found[5]:
            return _ESCAPES[found[5]]
        if not found[1] or found[1].lower() not in values:
            raise PermError(f"a macro of {text} does not exist")
        parts = re.split(f"[{re.escape(found[4] or '.')}]", values[found[1].lower()])
        if found[3]:
            parts.reverse()
        return ".".join(parts[-int(found[2]) :] if found[2] else parts)

    return _MACRO.sub(replace, text).rstrip(".")

"""RFC 7208: does an SPF record authorize an address, and what does it cost a receiver to find out?

The whole record is walked, also behind what matches: a receiver that looks for another address
walks as far.
"""

import ipaddress
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

MOST_LOOKUPS, MOST_VOID, MOST_HOSTS = 10, 2, 10
"""Of terms that ask DNS, of those that get no answer, and of hosts of one ``mx``."""

Ask = Callable[[str, str], Awaitable[list[str]]]
"""The values of a name and type; raises ``UnansweredError`` where nobody can tell."""

_RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_TERM = re.compile(
    r"(?P<qualifier>[+?~-]?)(?P<name>all|include|a|mx|ptr|ip4|ip6|exists)"
    r"(?::(?P<domain>[^/\s]+(?:/\d+)?|))?(?P<cidr>(?:/\d+)?(?://\d+)?)",
    re.IGNORECASE,
)
_MODIFIER = re.compile(r"(?P<name>[a-z][a-z0-9._-]*)=(?P<value>\S*)", re.IGNORECASE)
_CIDR = re.compile(r"(?P<domain>.*?)(?:/(?P<v4>\d+))?(?://(?P<v6>\d+))?")
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
        result, through, redirect = None, above[-1:], None
        for term in record.split()[1:]:
            if modifier := _MODIFIER.fullmatch(term):
                if modifier["name"].lower() == "redirect":
                    if redirect is not None:
                        raise PermError(f"two redirects at {domain}")
                    redirect = modifier["value"]
                continue
            found = _TERM.fullmatch(term)
            if not found:
                raise PermError(f"{term} is no term")
            if found["name"].lower() == "all":
                result = result or _RESULTS[found["qualifier"] or "+"]
                return result, through
            matched = await self._matches(term.lstrip("+-~?"), domain, above)
            if matched and result is None:
                result, through = _RESULTS[found["qualifier"] or "+"], (above[-1], *matched[1])
        if redirect is None:
            return result or "neutral", through
        self._count()
        target = self._expand(redirect, domain)
        outcome, chain = await self._other(target, above, "redirect")
        return (result, through) if result else (outcome, (above[-1], *chain))

    async def _matches(
        self, term: str, domain: str, above: tuple[str, ...]
    ) -> tuple[bool, tuple[str, ...]] | None:
        name, _, rest = term.partition(":")
        name, slash, bare = name.partition("/")
        name = name.lower()
        if name in {"ip4", "ip6"}:
            return (True, ()) if self._within(rest, name) else None
        self._count()
        parts = _CIDR.fullmatch(rest or slash + bare)
        assert parts
        given = parts["domain"]
        if not given and name in {"include", "exists"}:
            raise PermError(f"{term} names no domain")
        target = self._expand(given, domain) if given else domain
        if name == "include":
            result, chain = await self._other(target, above, "include")
            return (True, chain) if result == "pass" else None
        if name == "ptr":  # RFC 7208: do not use
            return None
        if name == "exists":
            return (True, ()) if await self._asked(target, "A") else None
        hosts = [target]
        if name == "mx":
            hosts = [value.split()[-1].rstrip(".") for value in await self._asked(target, "MX")]
            if len(hosts) > MOST_HOSTS:
                raise PermError(f"{target} has more than {MOST_HOSTS} mail servers")
        kind, prefix = ("A", parts["v4"]) if self.address.version == 4 else ("AAAA", parts["v6"])
        asked = self._asked if name == "a" else self.ask
        addresses = [value for host in hosts for value in await asked(host, kind)]
        return (True, ()) if any(self._near(each, prefix) for each in addresses) else None

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

    def _within(self, network: str, kind: str) -> bool:
        try:
            found = ipaddress.ip_network(network, strict=False)
        except ValueError:
            raise PermError(f"{kind}:{network} is no network") from None
        if found.version != int(kind[-1]):
            raise PermError(f"{kind}:{network} is no network")
        return self.address.version == found.version and self.address in found

    def _near(self, address: str, prefix: str | None) -> bool:
        network = f"{address}/{prefix}" if prefix else address
        try:
            return self.address in ipaddress.ip_network(network, strict=False)
        except ValueError:
            raise PermError(f"/{prefix} is no prefix") from None

    def _expand(self, text: str, domain: str) -> str:
        return expand(text, domain, str(self.address), self.sender)


def expand(text: str, domain: str, address: str, sender: str) -> str:
    """Replace macros (RFC 7208, 7). Raises PermError for what is none."""
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

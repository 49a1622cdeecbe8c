"""SPF records are evaluated as RFC 7208 has it."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oltp_lab.neighbours.dns import spf
from oltp_lab.neighbours.dns.spf import Evaluation, PermError, UnansweredError

ZONE = {
    ("ours", "TXT"): ["v=spf1 ip4:10.0.0.0/8 ip6:fd00::/8 -all"],
    ("deny", "TXT"): ["v=spf1 -all"],
    ("soft", "TXT"): ["v=spf1 ~all"],
    ("nested", "TXT"): ["v=spf1 include:ours ?all", "some text"],
    ("loop", "TXT"): ["v=spf1 include:loop -all"],
    ("two", "TXT"): ["v=spf1 -all", "v=spf1 +all"],
    ("here", "A"): ["10.0.0.1"],
    ("near", "A"): ["10.0.0.99"],
    ("mail", "MX"): ["10 there.", "20 here."],
    ("many", "MX"): [f"{n} here." for n in range(11)],
    ("there", "A"): ["192.0.2.1"],
    ("1.0.0.10.d", "A"): ["127.0.0.2"],
}
NINE = "a:near " * 9

RECORDS = [
    ("v=spf1", "neutral", 0),
    ("v=spf1 +all", "pass", 0),
    ("v=spf1 ?all", "neutral", 0),
    ("v=spf1 ip4:10.0.0.1 -all", "pass", 0),
    ("v=spf1 ip4:10.0.0.2 -all", "fail", 0),
    ("v=spf1 -ip4:10.0.0.0/8 +all", "fail", 0),
    ("v=spf1 ip6:fd00::1 ~all", "softfail", 0),
    ("V=SPF1 INCLUDE:ours -ALL", "pass", 1),
    ("v=spf1 include:nested -all", "pass", 2),
    ("v=spf1 include:deny ~all", "softfail", 1),
    ("v=spf1 include:soft -all", "fail", 1),
    ("v=spf1 -include:ours +all", "fail", 1),
    ("v=spf1 redirect=ours", "pass", 1),
    ("v=spf1 redirect=deny", "fail", 1),
    ("v=spf1 redirect=ours -all", "fail", 0),
    ("v=spf1 -all include:ours", "fail", 0),
    ("v=spf1 a:here -all", "pass", 1),
    ("v=spf1 a:near -all", "fail", 1),
    ("v=spf1 a:near/24 -all", "pass", 1),
    ("v=spf1 mx:mail -all", "pass", 1),
    ("v=spf1 ptr -all", "fail", 1),
    ("v=spf1 exists:%{ir}.d -all", "pass", 1),
    ("v=spf1 a:void a:void ~all", "softfail", 2),
    ("v=spf1 unknown=modifier -all", "fail", 0),
    (f"v=spf1 {NINE}include:ours -all", "pass", 10),
    (f"v=spf1 include:ours {NINE}{NINE}-all", "pass", 1),  # it ends with the match
    (f"v=spf1 {NINE}include:nested -all", "permerror", 11),
    ("v=spf1 a:v a:v a:v include:ours -all", "permerror", 3),
    ("v=spf1 a:v a:v include:ours a:v -all", "pass", 3),
    ("v=spf1 include:loop -all", "permerror", 2),
    ("v=spf1 include:nowhere -all", "permerror", 1),
    ("v=spf1 include:two -all", "permerror", 1),
    ("v=spf1 redirect=nowhere", "permerror", 1),
    ("v=spf1 redirect=ours redirect=ours", "permerror", 0),
    ("v=spf1 mx:many -all", "permerror", 1),
    ("v=spf1 includes:ours -all", "permerror", 0),
    ("v=spf1 include -all", "permerror", 0),
    ("v=spf1 ip4:10.0.0.300 -all", "permerror", 0),
    ("v=spf1 ip4:fd00::1 -all", "permerror", 0),
    ("v=spf1 ip4 -all", "permerror", 0),
    ("v=spf1 a:here/33 -all", "permerror", 0),
    ("v=spf1 a:here//129 -all", "permerror", 0),
    ("v=spf1 a:near/24//64 -all", "pass", 1),
    ("v=spf1 all:here", "permerror", 0),
    ("v=spf1 +all includes:ours", "permerror", 0),  # read whole, before anything matches
    ("v=spf1 +all exp=a exp=b", "permerror", 0),
    ("v=spf1 redirect=", "permerror", 0),
    ("v=spf1 ip4:10.0.0.1/255.0.0.0 -all", "permerror", 0),
    ("v=spf1 exists:%{z} -all", "permerror", 0),
]


async def _ask(name: str, kind: str) -> list[str]:
    if name == "silent":
        raise UnansweredError("timeout")
    return ZONE.get((name, kind), [])


def _evaluate(record: str) -> Evaluation:
    return asyncio.run(spf.evaluate(record, "d", "10.0.0.1", _ask))


@pytest.mark.parametrize(("record", "result", "lookups"), RECORDS)
def test_records_are_evaluated(record: str, result: str, lookups: int) -> None:
    found = _evaluate(record)
    assert (found.result, found.lookups) == (result, lookups), found
    assert (found.problem is not None) == (result == "permerror")


def test_whose_record_matched() -> None:
    assert _evaluate("v=spf1 a:near include:nested -all").through == ("d", "nested", "ours")
    assert _evaluate("v=spf1 redirect=nested").through == ("d", "nested", "ours")
    assert _evaluate("v=spf1 +all include:ours").through == ("d",)
    assert _evaluate("v=spf1 ip4:10.0.0.1 include:ours").through == ("d",)


def test_no_answer_is_no_verdict() -> None:
    with pytest.raises(UnansweredError, match="timeout"):
        _evaluate("v=spf1 include:silent include:ours -all")


@pytest.mark.parametrize(  # RFC 7208, 7.4
    ("text", "expanded"),
    [
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        ("%%%_%-", "% %20"),
    ],
)
def test_macros(text: str, expanded: str) -> None:
    domain = "email.example.com"
    assert spf.expand(text, domain, "192.0.2.3", f"strong-bad@{domain}") == expanded


def test_macros_of_a_long_address() -> None:
    expanded = spf.expand("%{ir}.%{v}", "d", "2001:db8::cb01", "a@d")
    assert expanded == "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6"


@given(st.text(max_size=60))
def test_whatever_is_published_has_a_result(text: str) -> None:
    found = _evaluate(f"v=spf1 {text}")
    assert found.result in {"pass", "fail", "softfail", "neutral", "permerror"}
    assert found.lookups <= spf.MOST_LOOKUPS + 1


@given(st.integers(1, 20))
def test_ten_lookups_are_allowed_and_no_more(terms: int) -> None:
    found = _evaluate(f"v=spf1 {'a:near ' * terms}-all")
    assert found.result == ("fail" if terms <= spf.MOST_LOOKUPS else "permerror")


def test_a_macro_that_does_not_exist() -> None:
    with pytest.raises(PermError):
        spf.expand("%{q}", "d", "10.0.0.1", "a@d")

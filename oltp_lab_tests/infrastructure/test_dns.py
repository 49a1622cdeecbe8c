"""What is expected in DNS, how answers are judged, and what follows for the domain."""

import uuid
from datetime import timedelta
from itertools import product

import psycopg
import pytest
from psycopg.types.json import Jsonb

from oltp_lab_tests.infrastructure.world import DAY, KEY, NOW, World, call

SPF = "v=spf1 include:spf.mailer.example ~all"
DKIM = "v=DKIM1; k=rsa; p=abc"
CNAME = "bounce.mailer.example"
ELEVEN = "v=spf1 include:spf.mailer.example " + "a:x.example " * 10 + "~all"

JUDGEMENTS = [
    ("spf", SPF, [], None, "missing"),
    ("spf", SPF, ["google-site-verification=1"], None, "missing"),
    ("spf", SPF, [SPF], None, "ok"),
    ("spf", SPF, [SPF, "google-site-verification=1"], None, "ok"),
    ("spf", SPF, ["V=SPF1 mx +INCLUDE:spf.mailer.example -all"], None, "ok"),
    ("spf", SPF, [SPF, "v=spf1 -all"], None, "invalid"),
    ("spf", SPF, ["v=spf1 include:other.example ~all"], None, "invalid"),
    ("spf", SPF, ["v=spf1 -all include:spf.mailer.example"], None, "invalid"),
    ("spf", SPF, ["v=spf1 -include:spf.mailer.example ~all"], None, "invalid"),
    ("spf", SPF, ["v=spf10 include:spf.mailer.example ~all"], None, "missing"),
    ("spf", SPF, [SPF], 10, "ok"),
    ("spf", SPF, [SPF], 11, "invalid"),
    ("spf", SPF, [ELEVEN], None, "invalid"),
    ("spf", SPF, [ELEVEN.replace("a:x.example ", "", 1)], None, "ok"),
    ("spf", SPF, [ELEVEN], 3, "ok"),  # as many as were evaluated
    ("spf", SPF, [ELEVEN.replace("a:x.example ", "redirect=x.example ", 1)], None, "ok"),
    ("spf", SPF, [ELEVEN.replace("a:x.example ", "redirect=x.example ", 1)[:-5]], None, "invalid"),
    ("dkim", DKIM, [], None, "missing"),
    ("dkim", DKIM, [DKIM], None, "ok"),
    ("dkim", DKIM, [f" {DKIM} "], None, "ok"),
    ("dkim", DKIM, [DKIM, DKIM], None, "invalid"),
    ("dkim", DKIM, ["v=DKIM1; k=rsa; p="], None, "invalid"),
    ("dkim", DKIM, [DKIM.upper()], None, "invalid"),
    ("dkim", DKIM, ["p = a b c ; t=s"], None, "ok"),
    ("dkim", DKIM, ["v=DKIM2; p=abc"], None, "invalid"),
    ("dkim", DKIM, ["k=rsa; v=DKIM1; p=abc"], None, "invalid"),  # the version comes first
    ("dkim", DKIM, ["v=DKIM1; k=ed25519; p=abc"], None, "invalid"),
    ("dkim", DKIM, ["v=DKIM1; h=sha1:sha256; s=email; p=abc"], None, "ok"),
    ("dkim", DKIM, ["v=DKIM1; h=sha1; p=abc"], None, "invalid"),
    ("dkim", DKIM, ["v=DKIM1; s=chat; p=abc"], None, "invalid"),
    ("dkim", DKIM, ["v=DKIM1; p=abc; p=abc"], None, "invalid"),
    ("dkim", DKIM, ["nothing of the kind"], None, "invalid"),
    ("dmarc", "", [], None, "missing"),
    ("dmarc", "", ["v=DMARC1; p=none"], None, "ok"),
    ("dmarc", "", ["v=DMARC1;p=reject;rua=mailto:a@b.example"], None, "ok"),
    ("dmarc", "", ["v=DMARC1; sp=none"], None, "invalid"),
    ("dmarc", "", ["v=DMARC1; p=never"], None, "invalid"),
    ("dmarc", "", ["v=DMARC1; p=none", "v=DMARC1; p=none"], None, "invalid"),
    ("dmarc", "", ["v = DMARC1 ; P = Reject ; sp=none; adkim=s; aspf=r"], None, "ok"),
    ("dmarc", "", ["v=dmarc1; p=none"], None, "missing"),
    ("dmarc", "", ["v=DMARC1; p=none; sp=never"], None, "invalid"),
    ("dmarc", "", ["v=DMARC1; p=none; aspf=x"], None, "invalid"),
    ("dmarc", "", ["v=DMARC1; p=none; p=reject"], None, "invalid"),
    ("dmarc", "", ["v=spf1 -all"], None, "missing"),
    ("mx", "10 mx.mailer.example", [], None, "missing"),
    ("mx", "10 mx.mailer.example", ["10 MX.mailer.example."], None, "ok"),
    ("mx", "10 mx.mailer.example", ["1 other.example.", "20 mx.mailer.example."], None, "ok"),
    ("mx", "10 mx.mailer.example", ["1 other.example."], None, "invalid"),
    ("mx", "10 mx.mailer.example", ["0 ."], None, "invalid"),  # takes no mail
    ("mx", "10 mx.mailer.example", ["0 .", "10 mx.mailer.example"], None, "invalid"),
    ("return_path", CNAME, [], None, "missing"),
    ("return_path", CNAME, ["Bounce.mailer.example."], None, "ok"),
    ("return_path", CNAME, ["elsewhere.example."], None, "invalid"),
    ("tracking", CNAME, [CNAME, "elsewhere.example"], None, "invalid"),
]


def test_answers_are_judged(world: World) -> None:
    found = [
        (kind, expected, observed, lookups, world.value(
            "select infrastructure.judge_dns_record(%s, %s, %s, %s)",
            kind, expected, observed, lookups,
        ))
        for kind, expected, observed, lookups, _ in JUDGEMENTS
    ]  # fmt: skip
    assert found == JUDGEMENTS


def test_a_domain_is_usable_by_the_documented_rule(world: World) -> None:
    world.domain(world.tenant(), verified=False)
    statuses = ("unchecked", "ok", "missing", "invalid")
    for spf, dkim, mx, return_path in product(statuses, repeat=4):
        world.run(
            "update infrastructure.dns_records set status = new.status,"
            " checked_at = case when new.status <> 'unchecked' then now() end"
            " from (values ('spf', %s), ('dkim', %s), ('mx', %s), ('return_path', %s))"
            " as new (kind, status) where dns_records.kind = new.kind",
            spf, dkim, mx, return_path,
        )  # fmt: skip
        usable = world.value("select usable from infrastructure.domain_verification")
        assert usable == (
            spf == dkim == "ok" and mx in ("ok", "missing") and return_path in ("ok", "missing")
        )


@pytest.mark.parametrize(
    ("broken", "dmarc", "aligned"),
    [
        ([], "v=DMARC1; p=none", True),
        (["dkim"], "v=DMARC1; p=none", True),  # by the return path, below the domain
        (["dkim"], "v=DMARC1; p=none; aspf=s", False),
        (["dkim", "return_path"], "v=DMARC1; p=none", False),
        (["dkim", "spf"], "v=DMARC1; p=none", False),
        ([], "v=DMARC1; p=maybe", False),
    ],
)
def test_alignment(world: World, broken: list[str], dmarc: str, aligned: bool) -> None:
    tenant = world.tenant()
    domain = world.domain(tenant, verified=False)
    answers = world.good(domain) | {"dmarc": [dmarc]} | {kind: [] for kind in broken}
    world.answer(tenant, domain, answers)
    assert world.value("select aligned from infrastructure.domain_verification") is aligned


def test_from_pending_to_verified_to_failing_and_back(world: World) -> None:
    tenant = world.tenant()
    domain = world.domain(tenant, "Acme.example", verified=False)
    good = world.good(domain)

    def owner() -> object:
        return world.value(
            "select owner_tenant_id from infrastructure.verified_domains"
            " where name_norm = 'acme.example'"
        )

    steps = [
        (good | {"dkim": []}, "pending", None),
        (good, "verified", tenant),
        (good | {"mx": [], "tracking": []}, "verified", tenant),
        (good | {"spf": []}, "failing", None),
        (good, "verified", tenant),
    ]
    for hours, (answers, status, owned) in enumerate(steps):
        at = NOW + timedelta(hours=hours)
        assert world.answer(tenant, domain, answers, at) == {"status": status, "refusal": None}
        assert world.get("domains", domain)["status"] == status
        assert owner() == owned


def test_every_check_is_kept_and_drift_is_told(world: World) -> None:
    tenant = world.tenant()
    domain = world.domain(tenant, verified=False)
    other = "v=spf1 mx include:spf.mailer.example ~all"
    history = [
        ([], "missing", None),
        ([SPF], "ok", "restored"),
        ([SPF], "ok", None),
        ([other], "ok", "changed"),
        (["v=spf1 -all"], "invalid", "lost"),
        ([], "missing", "changed"),
    ]
    for days, (values, _, _) in enumerate(history):
        world.answer(tenant, domain, {"spf": values}, NOW + days * DAY)
    found = world.rows(
        "select observed, status, drift from infrastructure.dns_checks order by checked_at"
    )
    assert [(row["observed"], row["status"], row["drift"]) for row in found] == history


def test_the_order_of_answers_is_no_drift(world: World) -> None:
    tenant = world.tenant()
    domain = world.domain(tenant, verified=False)
    for days, values in enumerate((["1 a.example", "2 b.example"], ["2 b.example", "1 a.example"])):
        world.answer(tenant, domain, {"mx": values}, NOW + days * DAY)
    assert world.rows("select drift from infrastructure.dns_checks") == [{"drift": None}] * 2


def test_no_answer_says_nothing(world: World) -> None:
    tenant = world.tenant()
    domain = world.domain(tenant)
    failed = Jsonb([{"kind": "spf", "error": "SERVFAIL"}])
    told = world.call("record_dns_checks", tenant, domain, failed, NOW + DAY)
    assert told == {"status": "verified", "refusal": None}
    (check,) = world.rows("select * from infrastructure.dns_checks where status = 'failed'")
    assert (check["error"], check["drift"]) == ("SERVFAIL", None)


def test_late_and_repeated_answers_are_harmless(world: World) -> None:
    tenant = world.tenant()
    domain = world.domain(tenant)
    for at in (NOW, NOW - DAY):
        told = world.answer(tenant, domain, {"spf": []}, at)
        assert told == {"status": "verified", "refusal": None}
    assert world.value("select count(*) from infrastructure.dns_checks") == len(world.good(domain))


def test_a_name_is_verified_by_one_tenant(world: World) -> None:
    first, second = world.tenant(), world.tenant()
    owned = world.domain(first, "acme.example")
    wanted = world.domain(second, "ACME.example", verified=False)
    good = world.good(wanted)
    refused = {"status": "pending", "refusal": "verified_elsewhere"}
    assert world.answer(second, wanted, good, NOW + DAY) == refused

    # The name changed hands: the DNS of the first no longer proves it.
    world.answer(first, owned, {"dkim": []}, NOW + DAY)
    assert world.answer(second, wanted, good, NOW + 2 * DAY)["status"] == "verified"
    told = world.answer(first, owned, world.good(owned), NOW + 3 * DAY)
    assert told == {"status": "failing", "refusal": "verified_elsewhere"}


def test_racing_verifications_have_one_winner(world: World) -> None:
    tenants = [world.tenant() for _ in range(6)]
    domains = [world.domain(t, "acme.example", verified=False) for t in tenants]
    answers = [
        Jsonb([{"kind": kind, "values": v} for kind, v in world.good(d).items()]) for d in domains
    ]
    found = world.race(
        len(tenants),
        lambda c, n: call(c, "record_dns_checks", tenants[n], domains[n], answers[n], NOW)[0],
    )
    assert sorted((row["status"], row["refusal"]) for row in found if row["refusal"]) == [
        ("pending", "verified_elsewhere")
    ] * (len(tenants) - 1)
    assert world.value("select count(*) from infrastructure.domains where status = 'verified'") == 1


def test_another_tenants_key_proves_nothing(world: World) -> None:
    first, second = world.tenant(), world.tenant()
    published = world.good(world.domain(first, "acme.example", verified=False))
    copied = world.domain(second, "acme.example", verified=False)
    hosts = {
        row["host"] for row in world.rows("select host from infrastructure.dns_records"
                                          " where kind = 'dkim'")
    }  # fmt: skip
    assert published["dkim"] == world.good(copied)["dkim"]  # the same key
    assert len(hosts) == 2


def test_due_checks_are_handed_out_once(world: World) -> None:
    tenant = world.tenant()
    domains = {world.domain(tenant, verified=False) for _ in range(20)}

    def claim(connection: psycopg.Connection, _: int) -> set[uuid.UUID]:
        found = {row["domain"] for row in call(connection, "claim_dns_checks", 5, NOW)}
        connection.commit()
        return found

    claimed = world.race(4, claim)
    while more := {row["domain"] for row in call(world.platform, "claim_dns_checks", 5, NOW)}:
        claimed.append(more)
    assert sum(map(len, claimed)) == len(domains)
    assert set.union(*claimed) == domains
    again = call(world.platform, "claim_dns_checks", 100, NOW + timedelta(hours=1))
    assert len(again) == len(domains) * 6


def test_refusals(world: World) -> None:
    tenant, stranger = world.tenant(), world.tenant()
    domain = world.domain(tenant, "acme.example")
    taken = world.call("add_domain", tenant, "ACME.example", KEY, NOW)
    assert taken == {"domain_id": None, "refusal": "name_taken"}
    for name in ("acme", "acme..example", "-acme.example", "acme_1.example", "a" * 64 + ".example"):
        with pytest.raises(psycopg.errors.CheckViolation, match="domains_name_check"):
            world.call("add_domain", tenant, name, KEY, NOW)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="does not exist"):
        world.answer(stranger, domain, {})
    world.call("decommission_domain", tenant, domain, NOW)
    assert world.answer(tenant, domain, world.good(domain), NOW + DAY) == {
        "status": "decommissioned", "refusal": "decommissioned",
    }  # fmt: skip
    assert world.domain(tenant, "acme.example") != domain

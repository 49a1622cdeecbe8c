"""What the neighbours measure, a little of each, for tests of the report."""

from collections.abc import Callable
from typing import Any

Rows = list[dict[str, Any]]


def payments() -> Rows:
    counted = {"tenants": 10, "invoices": 28, "charges declined": 4, "answers too late": 2}
    counted |= {f"{what} {how}": 10 for what in ("customers", "subscriptions", "refunds")
                for how in ("asked for", "made")}  # fmt: skip
    counted |= {"events told": 190, "events kept": 190, "events processed": 190}
    counted |= {"deliveries: sent": 230, "deliveries: duplicates": 40, "previews": 2}
    counted |= {"diverged by order of arrival": 1, "diverged by time of event": 0}
    counted |= {f"{what} cents, {who}": 100 for what in ("paid", "refunded", "open")
                for who in ("provider", "here")}  # fmt: skip
    counted |= {"differences": 0, "checks of money broken": 0, "ended active": 6}
    return [{"what": what, "times": n, "seconds": 3.5} for what, n in counted.items()]


def notifications() -> Rows:
    mails = {"mails_wanted": 288, "mailed": 62, "digested": 220, "digests": 4, "most_to_one": 6}
    faults = {"dead": 6, "dead_mails": 6, "held": 6, "unheld": 0, "lost": 0, "doubled": 0}
    faults |= {"paged": 0}
    sent = {"accepted": 67, "accepted_again": 1, "kills": 3, "seconds": 4.5, "relay_s": 1.5}
    cost = {"trigger_us": 360.0, "bare_us": 300.0, "trigger_ratio": 1.2, "trigger_low": 1.1}
    cost |= {"trigger_high": 1.3}
    return [{"events": 156, "in_app": 572} | mails | faults | sent | cost]


def content_ordeal() -> Rows:
    found = [
        ("fault", "dangling", ""),
        ("fault", "lost", ""),
        ("killed", "save", "committed"),
        ("killed", "reconcile", "condemned"),
        ("ended", "save", "whole"),
        ("healed", "confirmed", ""),
        ("healed", "removed", ""),
    ]
    return [
        {"kind": kind, "name": name, "step": step, "times": 0 if kind == "fault" else 14}
        | {"seconds": 2.5}
        for kind, name, step in found
    ]


def content_comparison() -> Rows:
    ratio = {"reference": 4.0, "duplicate": 6.0, "ratio": 1.5, "low": 1.4, "high": 1.6}
    costs = ("create_ms", "read_ms", "withdraw_ms", "clean_up_ms")
    return [
        {"measure": measure} | ratio
        for measure in (*costs, "wal_bytes", "clean_up_wal_bytes", "oltp_bytes")
    ]


def dns_rounds() -> Rows:
    row: dict[str, Any] = {
        "domains": 20, "records": 120, "lookups": 130, "unanswered": 9, "batches": 1,
        "seconds": 0.5, "recording_s": 0.1, "longest_transaction_s": 0.05, "lookups_per_s": 260.0,
        "drifts": 12, "verified": 9, "failing": 5, "claimants": 3, "stolen": 0, "wrong": 0,
        "total_s": 3.0,
    }  # fmt: skip
    return [row | {"round": name} for name in ("while zones change", "all anew")]


def dns_cases() -> Rows:
    counts = {"records": 7, "as_intended": 7, "most_lookups": 11, "said": None}
    return [
        {"kind": "spf", "case": "published", "intended": "ok"} | counts,
        {"kind": "spf", "case": "includes itself", "intended": "invalid"} | counts,
    ]


def ip_operations() -> Rows:
    done = {"mails": 2590, "allowed": 2590, "warmed": 4, "days": 22, "sessions": 6, "conflicts": 28}
    storm = {"assigned": 61, "doomed": 33, "tenants_hit": 30, "recovered": 3, "replaced": 7}
    storm |= {"without": 25, "suspended": 1, "met": 10, "outage_p50_ms": 37.8}
    timed = {"allocations_per_s": 633.5, "allocation_p95_ms": 25.1, "outage_longest_ms": 43.2}
    return [done | storm | timed | {"month_s": 0.9, "storm_s": 0.1, "wrong": 0, "seconds": 2.4}]


def ip_outcomes() -> Rows:
    calls = {"allocated": 11, "no_free_address": 13}
    return [
        {"stage": "race", "operation": "allocate", "outcome": outcome, "calls": n}
        for outcome, n in calls.items()
    ]


def ip_bands() -> Rows:
    case = {"sent": 700, "complaints": 0, "after_a_clean_week": "healthy"}
    return [
        {"case": "clean", "bounces": 0, "intended": "healthy", "band": "healthy"} | case,
        {"case": "2.9 % bounces", "bounces": 20, "intended": "watched", "band": "watched"} | case,
    ]


def authentication_steps() -> Rows:
    step = {"part": "tenants", "expected": "not allowed", "got": "not allowed"}
    steps = [("refused", "his request names Acme"), ("allowed", "Ada sees Acme's leads")]
    return [
        {"number": number, "kind": kind, "step": told, "as_expected": True} | step
        for number, (kind, told) in enumerate(steps, 1)
    ]


def authentication_log_ins() -> Rows:
    return [
        {"cost": cost, "log_ins": 3, "seconds": 3 / rate, "log_ins_per_s": rate}
        for cost, rate in ((8, 60.0), (12, 4.2))
    ]


def authentication_requests() -> Rows:
    ratios = {"bare": 1.0, "in_context": 1.7, "admitted": 3.9}
    return [
        {"way": way, "ms": 0.1 * ratio, "ratio": ratio, "low": ratio, "high": ratio + 0.1}
        for way, ratio in ratios.items()
    ]


TABLES: dict[str, Callable[[], Rows]] = {
    "payments": payments,
    "notifications": notifications,
    "content_ordeal": content_ordeal,
    "content_comparison": content_comparison,
    "dns_rounds": dns_rounds,
    "dns_cases": dns_cases,
    "ip_operations": ip_operations,
    "ip_outcomes": ip_outcomes,
    "ip_bands": ip_bands,
    "authentication_steps": authentication_steps,
    "authentication_log_ins": authentication_log_ins,
    "authentication_requests": authentication_requests,
}

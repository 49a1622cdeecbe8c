"""Measurement files for tests of the report: small, written by the real store."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from oltp_lab.measuring.store import Measurements, Run

RUN = Run("run-1", 180006, {"machine.cores": "2"}, "smoke", "0123abcd")

Rows = list[dict[str, Any]]


def write(home: Path, run: Run = RUN, /, **tables: Rows) -> Measurements:
    """Store rows of tables as one run of that lab home."""
    store = Measurements(home / "measurements")
    for table, rows in tables.items():
        store.append(table, rows, run=run)
    return store


def later(number: int) -> Run:
    """A run after RUN."""
    return replace(RUN, run_id=f"run-{number}")


def sizes() -> Rows:
    rows = {"public.tenants": 20, "users.users": 200, "campaigns.leads": 1234567}
    return [
        {"table_name": table, "rows": count, "bytes": 3_000_000} for table, count in rows.items()
    ]


def probes(outcome: str = "held", detail: str = "42501 permission denied") -> Rows:
    shared = {"subject": "the lab", "statement": "select", "table_name": "campaigns.leads"}
    application = shared | {"way": "own_context", "role": "lab_app", "expected": "no row"}
    catalog = shared | {"way": "catalog", "role": "any", "expected": "no such thing"}
    return [
        catalog | {"attack": "row_security", "outcome": "held", "detail": ""},
        application | {"attack": "read_unfiltered", "outcome": outcome, "detail": detail},
        application | {"attack": "reference leads_fkey", "outcome": "held", "detail": ""},
        application
        | {"attack": "copy_to", "way": "", "outcome": "not applicable", "detail": "it is a view"},
    ]


def mutants(**changes: Any) -> Rows:
    trial = {"description": "Opened.", "table_name": "campaigns.leads", "attack": "read"}
    trial |= {"way": "own_context", "role": "lab_app", "detail": "", "probes": 3, "seconds": 0.5}
    return [
        trial | {"mutant": "none", "caught": False},
        trial | {"mutant": "using_true", "caught": True} | changes,
    ]


def index_safety(safe: bool = True) -> Rows:
    return [
        {
            "source": "campaigns/list_leads",
            "statement": "the call",
            "relation": "campaigns.leads l",
            "index_app": "leads_status_idx",
            "index_platform": "leads_status_idx",
            "safe": safe,
            "lost": "" if safe else "status",
            "operators": "~~(text,text) on email",
        }
    ]


def oracle_queries(failure: str | None = None) -> Rows:
    counts = {"non_empty": 620, "unfiltered": 250, "differing": 190, "dropped": 0}
    shared = {"subject": "the lab", "seed": 1, **counts}
    kinds = {"run": "all", "context": "tenant", "feature": "query: cte", "table": "campaigns.leads"}
    return [
        shared
        | {"kind": kind, "name": name, "queries": 1000}
        | ({"seconds": 2.0, "failure": failure} if kind == "run" else {})
        for kind, name in kinds.items()
    ]


def load_runs(**changes: Any) -> Rows:
    return [
        {
            "workload": "tenant_isolation",
            "arm": f"direct_{sessions}",
            "sessions": sessions,
            "seconds": 8.0,
            "transactions": transactions,
            "tps": transactions / 8,
            "failed": 0,
            "aborted": 0,
            "complete": True,
        }
        | changes
        for sessions, transactions in ((8, 80_000), (1000, 16_000))
    ]


def isolation_load(**changes: Any) -> Rows:
    counts = dict.fromkeys(("switches", "errors", "cancels", "reconnects"), 100)
    leak = dict.fromkeys(("leaked_statement", "leaked_expected", "leaked_seen"))
    return [
        {
            "arm": arm,
            "role": "lab_app",
            "clients": 24,
            "sessions": 6,
            "tenants": 6,
            "users": 60,
            "transactions": 1_000,
            "statements": 5_000,
            "assertions": 15_000,
            **counts,
            "leaks": 0,
            "controls": 6,
            "control_leaks": 6,
            "seconds": 3.0,
            "prepared": True,
            **leak,
            "skipped": None,
        }
        | changes
        for arm in ("direct", "psycopg_pool")
    ]


def load_operations(**changes: Any) -> Rows:
    return [
        {
            "workload": "tenant_isolation",
            "arm": f"direct_{sessions}",
            "sessions": sessions,
            "operation": operation,
            "calls": 5000,
            "p50_ms": slow / 3,
            "p95_ms": slow,
            "p99_ms": None,
            "failures": 0,
        }
        | changes
        for operation, base in (("lead_lookup", 0.5), ("campaign_report", 4.0))
        for sessions, slow in ((8, base), (1000, 300 * base))
    ]


def resource_samples() -> Rows:
    return [
        {
            "workload": "tenant_isolation",
            "arm": f"direct_{sessions}",
            "sessions": sessions,
            "server_cpu_percent": 171.0,
            "client_cpu_percent": 21.0,
            "server_memory_mb": 812.0,
        }
        for sessions in (8, 1000)
    ]


def experiments() -> Rows:
    return [{"experiment": "rls_cost", "noise": 0.023, "complete": True}]


def experiment_variants(ratio: float = 1.031, verdict: str = "equivalent") -> Rows:
    shared = {
        "experiment": "rls_cost",
        "baseline": "filter_alone",
        "operation": "lead_lookup",
        "noise": 0.023,
        "p50_ms": 0.31,
        "baseline_p50_ms": 0.3,
        "blocks_per_call": 4.2,
        "baseline_blocks_per_call": 4.1,
    }
    effects: Mapping[str, tuple[float, str]] = {
        "rls_and_filter": (ratio, verdict),
        "rls_alone": (1.4, "different"),
        "filter_alone_again": (1.004, "A against A"),
    }
    return [
        shared | {"variant": variant, "ratio": r, "low": r - 0.02, "high": r + 0.02, "verdict": v}
        for variant, (r, v) in effects.items()
    ]


def syncs() -> Rows:
    return [
        {
            "table_name": "campaigns.leads",
            "mode": "full",
            "rows": 5000,
            "deleted": 0,
            "seconds": 0.25,
            "lag_p95_s": None,
            "age_s": 0.7,
        }
    ]


def covert_channels() -> Rows:
    figures = {"trials": 40, "bits_per_probe": 0.9, "detectable_ns": None, "detail": ""}
    told = {"question": "Who is at work?", "because": "all may see", "advice": "none"}
    rates = {"bits_per_second": 900.0, "most_bits_per_second": 1000.0}
    return [
        figures
        | told
        | rates
        | {"channel": f"{verdict} one", "expected": verdict, "verdict": verdict}
        for verdict in ("open", "closed", "not proven")
    ]


TABLES: dict[str, Callable[[], Rows]] = {
    "tables": sizes,
    "isolation_probes": probes,
    "isolation_mutants": mutants,
    "index_safety": index_safety,
    "covert_channels": covert_channels,
    "oracle_queries": oracle_queries,
    "load_runs": load_runs,
    "isolation_load": isolation_load,
    "load_operations": load_operations,
    "resource_samples": resource_samples,
    "experiments": experiments,
    "experiment_variants": experiment_variants,
    "syncs": syncs,
}


def everything(home: Path) -> Measurements:
    """All that a run of the lab measures, a little of each."""
    return write(home, **{table: rows() for table, rows in TABLES.items()})

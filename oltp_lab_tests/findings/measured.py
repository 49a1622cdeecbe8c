"""Measurement files for tests of the report: small, written by the real store."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from oltp_lab.measuring.store import Measurements, Run
from oltp_lab_tests.findings import measured_neighbours

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


LEFT = (
    "through", "pool", "offered_tps", "skipped", "void", "not_sampled", "failure",
    "checkout_p50_ms", "checkout_p95_ms",
)  # fmt: skip
"""Columns of ``load_runs`` that these runs leave empty."""


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
            **dict.fromkeys(LEFT),
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


NO_FAILURES = dict.fromkeys(
    ("serialization_failures", "deadlocks", "skipped", "late", "retries"), 0
)


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
            **NO_FAILURES,
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
            "at": BEGAN + timedelta(seconds=second),
            "checkpoints": float(second == 1),
            "wal_mb": 3.5,
            "machine_steal_percent": 0.0,
        }
        for sessions in (8, 1000)
        for second in (1, 2)
    ]


BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
ARMS = {
    "campaign_scale": ("steady_32", "burst_32"),
    "billing_stress": ("direct_8", "direct_32"),
    "domain_operations": ("direct_8", "direct_32"),
    "configuration_lookup": ("direct_8", "direct_32"),
}
OPERATIONS = {
    "campaign_scale": ("campaign_create", "lead_lookup", "worker"),
    "billing_stress": ("limit_check", "unchecked", "change_plan", "pay_invoices", "revenue_report"),
    "domain_operations": ("check_dns", "domain_page", "assign_address"),
    "configuration_lookup": ("flag_lookup", "setting_lookup", "policy_check"),
}
FIGURES = {
    "campaign_scale": {
        "steps": ("executed",),
        "step_lag": ("p50_ms", "p95_ms", "unclaimed_p95_ms", "longest_ms"),
        "step_duration": ("sent_p95_ms",),
        "lag_by_sender": ("1 p50_ms", "1 p95_ms", "2 to 3 p50_ms", "2 to 3 p95_ms"),
        "due_steps": ("waiting",),
        "storage": tuple(
            f"campaigns.enrollments {what}"
            for what in ("table_bytes", "index_bytes", "dead_rows", "updates", "hot_updates")
        ),
    },
    "billing_stress": {
        "limits": ("units_granted", "units_at_the_edge"),
        "outcomes": ("limit_edge: over the limit",),
        "modifications": ("upgrade",),
        "payments": ("attempts_succeeded",),
        "backlog": ("renewals_due",),
    },
    "domain_operations": {
        "outcomes": ("assign_address: not_available",),
        "verification": ("domains_verified",),
        "failovers": ("servers_failed", "addresses_replaced", "milliseconds_longest"),
        "quality": ("share_of_the_best",),
        "backlog": ("checks_due",),
    },
    "configuration_lookup": {
        "outcomes": ("send_mail: forbidden",),
        "lookups": ("feature_flags_scans", "feature_flags_index_scans"),
        "changes": ("feature_flags_updates",),
        "policies": ("mails_at_the_edge",),
    },
}


def _other_arms() -> Iterator[dict[str, Any]]:
    for workload, arms in ARMS.items():
        for sessions, arm in zip((8, 32), arms, strict=True):
            yield {"workload": workload, "arm": arm, "sessions": sessions}


def every_load_run() -> Rows:
    return load_runs() + [{**load_runs()[0], **arm} for arm in _other_arms()]


def every_load_operation() -> Rows:
    others = [
        {**load_operations()[0], **arm, "operation": operation}
        for arm in _other_arms()
        for operation in OPERATIONS[arm["workload"]]
    ]
    return load_operations() + others


def load_figures() -> Rows:
    return [
        {**arm, "query": query, "figure": figure, "value": 40.0, "rise": 20.0}
        for arm in _other_arms()
        for query, figures in FIGURES[arm["workload"]].items()
        for figure in figures
    ]


def load_invariants(violations: int = 0) -> Rows:
    return [
        {"workload": workload, "invariant": "kept", "violations": violations, "first": None}
        for workload in ARMS
    ]


def _named(run: dict[str, Any]) -> dict[str, Any]:
    return {name: run[name] for name in ("workload", "arm", "sessions")}


def transactions() -> Rows:
    ranks = {"tenant_isolation": 3}  # tenants are told of there alone
    return [
        _named(run)
        | {"operation": "any", "client": 1, "outcome": "ok", "latency_us": 900 + 100 * number}
        | {"ended_at": BEGAN + timedelta(seconds=number / 4), "retries": 0}
        | {"tenant": 1 + number % 3 if run["workload"] in ranks else None}
        for run in every_load_run()
        for number in range(12)
    ]


def wait_samples() -> Rows:
    return [
        _named(run)
        | {"at": BEGAN + timedelta(seconds=1), "wait_event_type": kind, "active": active}
        for run in every_load_run()
        for kind, active in (("CPU", 2), ("Lock", 1))
    ]


def pool_samples() -> Rows:
    counts = {"waiting": 4, "in_use": 12, "idle": 4, "transactions": 100}
    return [
        _named(run)
        | counts
        | {"at": BEGAN, "pool": "psycopg_pool", "wait_ms": 1.25, "longest_wait_ms": 9.0}
        for run in load_runs()
    ]


def statements() -> Rows:
    query = {"role": "lab_platform", "queryid": "1", "query": "select scratch_load.execute($1, $2)"}
    figures = {"calls": 10, "total_ms": 25.0, "rows": 10, "blocks": 80, "wal_bytes": 4000.0}
    return [_named(run) | query | figures | {"plan": "Result"} for run in every_load_run()]


def every_resource_sample() -> Rows:
    sample = resource_samples()[0]
    return resource_samples() + [sample | arm for arm in _other_arms()]


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


def loss_oracle() -> Rows:
    fine = {"table_name": "campaigns.leads", "rows": 137, "phantom": 0, "duplicate": 0}
    return [
        fine | {"arm": "oltp", "lost": 0, "stale": 0},
        fine | {"arm": "two_snapshot_delta", "lost": 0, "stale": 0},
        fine | {"arm": "updated_at", "lost": 5, "stale": 6},
    ]


def loss_oracle_done() -> Rows:
    done = {"killed at": "commit", "crash": "within a sync", "transaction": "commits"}
    return [{"kind": kind, "name": name, "times": 3, "seconds": 6.5} for kind, name in done.items()]


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


def growth() -> Rows:
    sizes = [("tenants", 1), ("leads", 1), ("tenants", 16), ("leads", 16)]
    return [
        {"operation": "claim_due_steps_idle", "axis": axis, "multiple": multiple, "tenants": 100,
         "leads_a_tenant": 100, "calls": 40, "p50_ms": 0.5 * multiple, "visits_per_call": 9.0,
         "blocks_per_call": 12.0 * multiple}
        for axis, multiple in sizes
    ]  # fmt: skip


def growth_exponents() -> Rows:
    judged = {"exponent": 0.98, "low": 0.95, "high": 1.01, "limit": 0.146, "plan": "Seq Scan"}
    return [
        {"operation": "claim_due_steps_idle", "axis": axis, "measure": measure,
         "faster_than_logarithmic": None if measure == "ms" else axis == "tenants"} | judged
        for axis in ("tenants", "leads")
        for measure in ("blocks", "visits", "ms")
    ]  # fmt: skip


def freshness(sync: float = 1.2, report: str = "different", **changes: Any) -> Rows:
    """Nothing twice, the live view, syncs and a report; p95 as ratios to nothing."""
    row: dict[str, Any] = {
        "share": 1.0, "calls": 900, "p50_ms": 3.0, "p95_ms": 20.0, "p99_ms": None,
        "p50_ratio": 1.0, "p50_low": 0.9, "p50_high": 1.1, "p50_noise": 0.1,
        "p50_verdict": None, "p95_low": 0.8, "p95_high": 3.0, "p95_noise": 0.2,
        "rows_a_piece": 500.0, "process_cpu_s": None, "process_memory_mb": None, "server_s": 0.1,
        "blocks": 900.0, "wal_bytes": None, "core_share": 0.3, "back_to_back": False,
        "mart_s": None, "mart_equals": None, "rate": 150, "turns": 8, "seconds": 60.0,
    }  # fmt: skip
    ways = [
        ("nothing", None, None, None, 1.0, None),
        ("nothing_again", None, None, None, 1.1, None),
        ("live", "live view", 0.1, False, 1.1, "inconclusive"),
        ("batch", "everything", 1.0, False, sync, "different"),
        ("batch", "everything", 300.0, True, 1.0, "inconclusive"),
        ("report", "report in OLTP", 0.4, False, 2.0, report),
    ]
    made = [
        row
        | {"way": way, "told": told, "every_s": every, "reckoned": reckoned, "p95_ratio": ratio}
        | {"p95_verdict": judged, "piece_p50_s": 0.4, "piece_p95_s": 0.5}
        | {f"propagation_{name}_s": 1.0 for name in ("p50", "p95", "p99")}
        | {"behind_s": (every or 0) / 2 + 0.1, "behind_most_s": (every or 0) + 0.1}
        for way, told, every, reckoned, ratio, judged in ways
    ]
    for each in made[3:5]:
        each.update(process_cpu_s=0.5, process_memory_mb=300.0)
    made[3]["back_to_back"] = made[5]["back_to_back"] = True
    made[5].update(mart_s=0.01, mart_equals=True)
    return [each | changes for each in made]


TABLES: dict[str, Callable[[], Rows]] = {
    "tables": sizes,
    "isolation_probes": probes,
    "isolation_mutants": mutants,
    "index_safety": index_safety,
    "covert_channels": covert_channels,
    "oracle_queries": oracle_queries,
    "load_runs": every_load_run,
    "isolation_load": isolation_load,
    "load_operations": every_load_operation,
    "load_figures": load_figures,
    "load_invariants": load_invariants,
    "resource_samples": every_resource_sample,
    "transactions": transactions,
    "wait_samples": wait_samples,
    "pool_samples": pool_samples,
    "statements": statements,
    "growth": growth,
    "growth_exponents": growth_exponents,
    "experiments": experiments,
    "experiment_variants": experiment_variants,
    "syncs": syncs,
    "freshness": freshness,
    "loss_oracle": loss_oracle,
    "loss_oracle_done": loss_oracle_done,
    **measured_neighbours.TABLES,
}


def everything(home: Path) -> Measurements:
    """All that a run of the lab measures, a little of each."""
    return write(home, **{table: rows() for table, rows in TABLES.items()})

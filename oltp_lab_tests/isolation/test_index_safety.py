"""No index is lost on the lab's own database; one that can be lost is noticed, and why is named."""

import re
from pathlib import Path

import pytest

from oltp_lab import sql
from oltp_lab.isolation.indexes import plan_tree, planned
from oltp_lab.isolation.indexes import safety as index_safety
from oltp_lab.isolation.indexes.safety import Comparison
from oltp_lab.servers import Database

_REACHED = re.compile(r"PL/pgSQL function (\S+\(.*?\)) line (\d+) (?:at|during)")
_ENDS = re.compile(
    r"^\s*(?:begin|declare|else|(?:if|elsif|for|foreach|while|exception)\b.*\b(?:then|loop)|.*;)"
    r"\s*(?:--.*)?$",
    re.DOTALL,
)
_TABLE = re.compile(
    r"\b(?:from|join|into|update|using)\s+"
    r"(?:auth|billing|campaigns|configuration|infrastructure|integration|public|users)\.\w+\b(?!\()"
)
UNREACHED = {
    # The application may not void the invoices of a subscription that expires.
    ("billing.move_subscription", 16),
    # No tenant leaves a trial for a pause by itself; as the update of the other branch.
    ("billing.resume_subscription", 10),
}

# What makes an index useless to the application alone, and how that is named.
LEAKING = {
    "expression": (
        "create index control_idx on campaigns.leads (tenant_id, lower(first_name))",
        "lower(first_name) = 'ann'",
        "lower(first_name) by lower(text)",
    ),
    "numeric": (
        "alter table campaigns.leads add score numeric default 1;"
        "create index control_idx on campaigns.leads (tenant_id, score)",
        "score = 1",
        "score by =(numeric,numeric)",
    ),
    "enum": (
        "create type campaigns.mood as enum ('good', 'bad');"
        "alter table campaigns.leads add mood campaigns.mood default 'good';"
        "create index control_idx on campaigns.leads (tenant_id, mood)",
        "mood = 'good'",
        "mood by =(anyenum,anyenum)",
    ),
    "leakproof": (
        "create index control_idx on campaigns.leads (tenant_id, first_name)",
        "first_name = 'ann'",
        None,
    ),
}


@pytest.fixture
def one_call(editable_sql: Path) -> Path:
    """Where the one file of calls goes."""
    for file in sql.files(planned.CALLS):
        sql.path(file).unlink()
    return editable_sql / planned.CALLS / "control.sql"


def test_every_index_survives_and_every_operation_is_compared(seeded: Database) -> None:
    compared, uncompared = index_safety.run(seeded)
    assert [str(one) for one in compared if not one.safe] == []
    assert [str(one) for one in uncompared] == []
    assert {one.source for one in compared} >= set(planned.scripts())
    named = {one.operators for one in compared}
    assert "&&(anyarray,anyarray) on roles" in named


@pytest.mark.parametrize("control", LEAKING)
def test_what_leaks_is_noticed_and_named(seeded: Database, control: str) -> None:
    damage, predicate, named = LEAKING[control]
    _administer(seeded, damage)
    (found,) = _compare(seeded, predicate)
    assert found.index_platform == "control_idx"
    assert (found.safe, found.lost) == (named is None, named or "")


def test_an_index_that_nobody_has_is_not_lost(seeded: Database) -> None:
    (found,) = _compare(seeded, "status = 'new'")
    assert (found.index_platform, found.safe) == ("leads_status_idx", True)
    _administer(seeded, "drop index campaigns.leads_status_idx")
    (found,) = _compare(seeded, "status = 'new'")
    assert (found.index_platform != "leads_status_idx", found.safe) == (True, True)


def test_a_policy_that_hides_the_tenant_loses_the_index(seeded: Database, one_call: Path) -> None:
    _administer(
        seeded,
        "alter policy tenant on campaigns.leads using (current_setting('x.admin', true) = 'yes'"
        " or tenant_id = nullif(current_setting('nile.tenant_id', true), '')::uuid)",
    )
    compared, _ = index_safety.run(seeded)
    lost = {one.source: one.lost for one in compared if not one.safe}
    assert lost["load/rls_cost/lead_lookup/rls_alone.sql"] == "tenant_id"


def test_what_is_not_called_or_finds_no_row_is_told(seeded: Database, one_call: Path) -> None:
    one_call.write_text(
        "-- name: none\nselect billing.current_plan(id) from public.tenants where false;\n"
        "-- name: refused\nselect billing.consume_limit(lab.current_tenant(), 'no feature', 1);\n"
    )
    compared, uncompared = index_safety.run(seeded)
    told = {one.source: one.reason for one in uncompared}
    assert told["control/none"] == "statement 1 finds no row to call it with"
    assert told["control/refused"] == "feature no feature is not metered"
    assert "calls it" in told["campaigns.count(uuid,uuid,text)"]
    assert "billing.current_plan(uuid)" not in told
    assert compared


def test_every_statement_of_the_operations_is_reached(seeded: Database) -> None:
    """Judged by the lines of functions in PL/pgSQL on which statements that name a table begin."""
    reached: set[tuple[str, int]] = set()
    with seeded.connect() as session:
        acting_for = planned.tenant(session)
        for text in planned.calls().values():
            plans = planned.called(session, planned.APPLICATION, text, acting_for)
            reached |= {(f, int(line)) for c in plans for f, line in _REACHED.findall(c)}
        bodies = session.execute(
            "select p.oid::regprocedure::text, prosrc from pg_proc p"
            " join pg_namespace n on n.oid = p.pronamespace"
            " where p.prolang = (select oid from pg_language where lanname = 'plpgsql')"
            " and nspname in ('billing', 'campaigns', 'configuration', 'infrastructure',"
            " 'integration', 'tenancy')"
            " and has_function_privilege('lab_app', p.oid, 'execute')"
            " and prorettype <> 'trigger'::regtype"
        ).fetchall()
    wanted = {(function, line) for function, body in bodies for line in _reading(body)}
    assert len(wanted) > 100
    assert {(function.split("(")[0], line) for function, line in wanted - reached} == UNREACHED


def test_plans_are_read_by_object_id() -> None:
    scans = plan_tree.scans(
        "{PLANNEDSTMT :planTree {INDEXSCAN :scan.plan.qual ({OPEXPR :opno 98 :opfuncid 67 :args"
        " ({VAR :varno 1 :varattno 4} {CONST :constvalue 8 [ 32 0 0 0 ]})}) :scan.scanrelid 1"
        " :indexid 500 :indexqual ({OPEXPR :opno 2972 :opfuncid 2956 :args"
        " ({VAR :varno -3 :varattno 2} {PARAM :paramid 1})} {NULLTEST :arg {VAR :varno -3"
        " :varattno 3}})} :rtable ({RANGETBLENTRY :eref {ALIAS :aliasname l :colnames"
        ' ("a" "b \\"c)")} :rtekind 0 :relid 400})}'
    )
    (scan,) = scans
    assert (scan.relation, scan.alias, scan.index) == (400, "l", 500)
    assert {(c.column, c.operator) for c in scan.conditions} == {(2, 2972), (3, None)}
    assert scan.filters == {(67, 4)}


def _administer(database: Database, statement: str) -> None:
    with database.connect(autocommit=True) as administrator:
        administrator.execute(statement)  # type: ignore[arg-type]


def _compare(database: Database, predicate: str) -> list[Comparison]:
    """A statement of its own that reads leads by the tenant and a predicate."""
    reading = "select count(*) from campaigns.leads where tenant_id = lab.current_tenant() and "
    with database.connect() as session:
        acting_for = planned.tenant(session)
        session.execute(sql.queries(planned.QUERIES)["keep_out_of_the_log"])
        session.commit()
        names = index_safety.Names.read(session)
        ours, theirs = (
            planned.called(session, role, reading + predicate, acting_for)  # type: ignore[arg-type]
            for role in (planned.APPLICATION, planned.PLATFORM)
        )
        return list(index_safety._compare("control", ours, theirs, names))


def _reading(body: str) -> list[int]:
    """Lines on which statements begin that name a table."""
    found, chunk, start = [], [], 0
    for number, line in enumerate(body.split("\n"), 1):
        if not chunk and (not line.strip() or line.lstrip().startswith("--")):
            continue
        start = start if chunk else number
        chunk.append(line)
        text = "\n".join(chunk)
        if _ENDS.match(text):
            if _TABLE.search(text.lower()):
                found.append(start)
            chunk = []
    return found

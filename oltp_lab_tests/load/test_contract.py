"""A workload is a folder: roles, setup, figures, invariants, teardown, and no Python."""

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from oltp_lab.errors import LabError
from oltp_lab.load import checks, execution
from oltp_lab.load.workload import Arm, Workload, discovered
from oltp_lab.measuring.loads import Outcome
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database, pgbouncer

TOML = """
description = "Counts by two roles."
role = "lab_app"
tenants = 3
most = 7

[operations]
look = 3
count = { weight = 1, role = "lab_platform" }

[arms]
direct_4 = { sessions = 4, before = "counted" }
pooled = { sessions = 6, through = "pgbouncer", pool = 2 }

[scales.smoke]
seconds = 0.5
warmup = 0.1
most = 8
"""
FILES = {
    "workload.toml": TOML,
    "setup.sql": """
-- name: tables (administrator)
create table scratch_load.counts (role text, n integer, most integer);
create table public.kept as select %(run_id)s as run_id, 'a %% sign' as note;
grant select, insert on scratch_load.counts to lab_app, lab_platform;
grant select, insert on public.kept to lab_platform;

-- name: first
insert into scratch_load.counts values (current_user, 0, %(most)s);
""",
    "before.sql": """
-- name: counted
insert into scratch_load.counts values ('lab_platform', %(most)s, 0);
""",
    "look.sql": "\\set n random(1, :most)\n"
    "insert into scratch_load.counts values (current_user, :n);",
    "count.sql": "insert into scratch_load.counts values (current_user, 1);",
    "figures.sql": """
-- name: outcomes
select role, count(*) from scratch_load.counts where n > 0 group by role;

-- name: sizes
select 'most', %(most)s;
""",
    "invariants.sql": """
-- name: nobody_else
select role, 'counted' from scratch_load.counts where role not in ('lab_app', 'lab_platform');

-- name: never_too_many
select 'too many: ' || n from scratch_load.counts where n > %(most)s;
""",
    "teardown.sql": """
-- name: gone (administrator)
drop table if exists public.kept;
""",
}

Play = Callable[..., list[Outcome]]


@pytest.fixture
def folder(editable_sql: Path) -> Path:
    path = editable_sql / "load" / "counting"
    path.mkdir()
    for name, text in FILES.items():
        (path / name).write_text(text, "utf-8")
    return path


@pytest.fixture
def play(seeded: Database, store: Measurements, run: Run, folder: Path) -> Iterator[Play]:
    def played(**told: list[str]) -> list[Outcome]:
        workload = Workload.read("counting", "smoke").told(**told)  # type: ignore[arg-type]
        return execution.execute(seeded, workload, store, run)

    yield played
    with seeded.connect() as connection:
        left = connection.execute(
            "select to_regnamespace('scratch_load'), to_regclass('public.kept')"
        ).fetchone()
    assert left == (None, None)


def test_a_folder_is_discovered_and_read(folder: Path) -> None:
    assert "counting" in discovered()
    assert "rls_cost" not in discovered()
    workload = Workload.read("counting", "smoke")
    assert workload.sizes == {"most": 8}, "a scale's take the place of the workload's"
    assert workload.arms["pooled"] == Arm(6, "pgbouncer", 2)


def test_each_operation_runs_as_its_role(play: Play, store: Measurements) -> None:
    (outcome,) = play(arms=["direct_4"])
    assert outcome.failure is None
    calls = {row["operation"]: row["calls"] for row in outcome.operations}
    assert min(calls.values()) > 0
    clients = store.read("select operation, client from transactions group by all")
    assert sorted(clients["client"]) == [0, 1, 2, 3], "one of each role's own"
    figures = store.read("select figure, value, rise from load_figures").set_index("figure")
    assert figures.loc["lab_app", "value"] >= calls["look"]
    assert figures.loc["lab_platform", "rise"] >= calls["count"]
    assert figures.loc["lab_platform", "value"] == figures.loc["lab_platform", "rise"] + 1, "before"
    held = store.read("select invariant, violations from load_invariants").to_dict("records")
    assert [(row["invariant"], row["violations"]) for row in held] == [
        ("nobody_else", 0), ("never_too_many", 0),
    ]  # fmt: skip


def test_an_exercise_has_sizes_of_its_own(
    play: Play, folder: Path, store: Measurements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgbouncer, "program", lambda: None)
    exercise = '\n[scales.smoke.exercise]\narms = ["direct_4"]\nmost = 9\n'
    (folder / "workload.toml").write_text(TOML + exercise, "utf-8")
    assert [outcome.arm for outcome in play()] == ["direct_4", "pooled", "exercise_direct_4"]
    sizes = store.read("select arm, value from load_figures where figure = 'most' order by arm")
    assert sizes.values.tolist() == [["direct_4", 8.0], ["exercise_direct_4", 9.0]]
    judged = store.read("select arms from load_invariants order by all")
    assert judged["arms"].tolist() == ["direct_4, pooled"] * 2 + ["exercise_direct_4"] * 2
    assert Workload.read("counting", "smoke").told(arms=["direct_4"]).exercise is None


@pytest.mark.skipif(pgbouncer.program() is None, reason="there is no pgbouncer on PATH")
def test_roles_share_the_connections_of_pgbouncer(play: Play, store: Measurements) -> None:
    (outcome,) = play(arms=["pooled"])
    assert (outcome.failure, outcome.run["pool"]) == (None, 2)
    pools = store.read("select pool, max(in_use) as most from pool_samples group by pool")
    assert set(pools["pool"]) == {"lab_app", "lab_platform"}
    assert pools["most"].tolist() == [1, 1]


def test_without_pgbouncer_the_arm_says_why_it_did_not_run(
    play: Play, store: Measurements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgbouncer, "program", lambda: None)
    direct, pooled = play()
    assert direct.run["complete"]
    assert (pooled.run["complete"], pooled.failure) == (None, None)
    stored = store.read("select skipped from load_runs where arm = 'pooled'")["skipped"]
    assert stored.tolist() == ["there is no pgbouncer on PATH"]


def test_what_does_not_hold_is_named(play: Play, folder: Path, store: Measurements) -> None:
    (folder / "look.sql").write_text("insert into scratch_load.counts values ('x', 99);", "utf-8")
    with (folder / "invariants.sql").open("a", encoding="utf-8") as file:
        file.write("\n-- name: cannot_be_asked\nselect 1 / 0;\n")
    play(arms=["direct_4"])
    rows = store.read("select * from load_invariants").set_index("invariant")
    assert rows.loc["nobody_else", "violations"] > 0
    assert rows.loc["nobody_else", "first"] == "x, counted"
    assert "division by zero" in rows.loc["cannot_be_asked", "first"]
    check = checks._invariants_hold("counting")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks.MeasurementsResource, "store", lambda _: store)
        result = check(checks.MeasurementsResource())
    assert isinstance(result, dg.AssetCheckResult)
    assert not result.passed
    told = result.description or ""
    assert all(name in told for name in ("nobody_else: x", "too many: 99", "cannot_be_asked"))


def test_a_script_that_errors_is_named_and_the_rest_is_kept(
    play: Play, folder: Path, store: Measurements
) -> None:
    (folder / "count.sql").write_text("select 1 / (random() < 0.9)::int;", "utf-8")
    (outcome,) = play(arms=["direct_4"])
    assert outcome.failure == "count: ERROR:  division by zero"
    assert not outcome.run["complete"]
    assert len(store.read("select * from load_invariants")) == 2, "asked all the same"


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("workload.toml", "look = 3", "look = 3\nmissing = 1", "missing has no script"),
        ("workload.toml", '"pgbouncer"', '"magic"', "through 'magic'"),
        ("workload.toml", "sessions = 4", "sessions = 1", "1 sessions for 2 roles"),
        ("workload.toml", '"counted"', '"uncounted"', "before.sql has no query uncounted"),
        ("setup.sql", "%(most)s", "%(least)s", "first asks for least, which workload.toml"),
        ("setup.sql", "values (current_user, 0", "values (current_user, 1 / 0", "first failed"),
    ],
)
def test_a_folder_that_does_not_hold_together_is_refused(
    play: Play, folder: Path, store: Measurements, file: str, old: str, new: str, message: str
) -> None:
    text = (folder / file).read_text("utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new), "utf-8")
    with pytest.raises(LabError, match=message):
        play()
    assert "load_runs" not in store.tables()


def test_an_arm_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(LabError, match="has no arm 'x': configure some of direct_4, pooled"):
        Workload.read("counting", "smoke").told(arms=["x"])

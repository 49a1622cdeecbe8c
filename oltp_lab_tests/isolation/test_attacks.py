"""Every attack holds on the lab's own database; each way of breaking it is caught, by table."""

import pytest

from oltp_lab import catalog
from oltp_lab.isolation import attacks, probes
from oltp_lab.servers import Database

MUTANTS = {
    "rls disabled": ("campaigns.leads", "alter table campaigns.leads disable row level security"),
    "force dropped": ("campaigns.steps", "alter table campaigns.steps no force row level security"),
    "policy dropped": ("campaigns.events", "drop policy tenant on campaigns.events"),
    "policy widened": ("campaigns.events", "alter policy tenant on campaigns.events using (true)"),
    "check widened": (
        "campaigns.leads",
        "alter policy tenant on campaigns.leads with check (true)",
    ),
    "null admits": (
        "campaigns.campaigns",
        "alter policy tenant on campaigns.campaigns using (tenant_id = coalesce("
        "nullif(current_setting('nile.tenant_id', true), '')::uuid, tenant_id))",
    ),
    "second, wider policy": (
        "campaigns.enrollments",
        "create policy support on campaigns.enrollments for select to lab_app using (true)",
    ),
    "truncate granted": ("campaigns.leads", "grant truncate on campaigns.leads to lab_app"),
    "tenants readable": ("public.tenants", "alter policy tenant on public.tenants using (true)"),
    "single-column foreign key": (
        "campaigns.step_executions",
        "alter table campaigns.steps add constraint steps_id_key unique (id);"
        "alter table campaigns.step_executions drop constraint step_executions_step_fkey,"
        " add constraint step_executions_step_fkey foreign key (step_id)"
        " references campaigns.steps (id)",
    ),
    "new table without policy": (
        "campaigns.notes",
        "create table campaigns.notes (tenant_id uuid, note text);"
        "grant all on campaigns.notes to lab_app",
    ),
    "hidden as shared": (
        "campaigns.leads",
        "alter table campaigns.leads disable row level security;"
        "insert into lab.shared_tables values ('campaigns.leads', '{lab_app,lab_platform}', '')",
    ),
    "shared table writable": ("lab.transitions", "grant insert on lab.transitions to lab_app"),
}


def test_every_attack_holds(seeded: Database) -> None:
    found = probes.run(seeded)
    assert [p for p in found if p.outcome != probes.HELD] == []
    attacked = {p.table_name for p in found}
    assert {f"{schema}.{name}" for schema, name in catalog.tables()} <= attacked
    assert {p.attack.split()[0] for p in found} >= {a.name for a in attacks.catalogue()}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_every_mutant_is_caught(seeded: Database, mutant: str) -> None:
    table, damage = MUTANTS[mutant]
    with seeded.connect() as connection:
        connection.execute(damage)  # type: ignore[arg-type]
    caught = {p.table_name for p in probes.run(seeded) if p.outcome != probes.HELD}
    assert caught == {table}


def test_without_rows_nothing_is_proven(database: Database) -> None:
    outcomes = {p.outcome for p in probes.run(database) if p.attack == "read"}
    assert outcomes == {probes.NOT_PROVEN}


def test_probes_leave_nothing_behind(seeded: Database) -> None:
    def counts() -> dict:
        with seeded.connect() as connection:
            return {key: table.rows for key, table in catalog.describe(connection).items()}

    before = counts()
    probes.run(seeded)
    assert counts() == before

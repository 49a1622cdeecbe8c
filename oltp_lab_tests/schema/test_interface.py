"""The interface page is the catalog's, and the committed one is not stale."""

import re
from pathlib import Path

import pytest

from oltp_lab import catalog
from oltp_lab.schema import interface
from oltp_lab.servers import Database

COMMITTED = Path(__file__).parents[2] / "docs" / "interface.md"


@pytest.fixture
def page(database: Database) -> str:
    with database.connect() as connection:
        return interface.page(connection)


def _cells(page: str, heading: str, row: str) -> list[str]:
    """The cells of the row that begins so, under the first heading of that name."""
    section = page.partition(f"{heading}\n")[2].partition("\n#")[0]
    (line,) = re.findall(rf"^\| {re.escape(row)}.*", section, re.MULTILINE)
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_committed_page_is_that_of_the_schema(page: str) -> None:
    assert COMMITTED.read_text("utf-8") == page, "stale: run make docs and commit what it writes"


def test_an_edited_schema_makes_it_stale(database: Database, page: str) -> None:
    for edit in (
        "create table campaigns.extra (id uuid primary key)",
        "comment on table campaigns.leads is 'Others.'",
        "alter function tenancy.create_tenant(text, uuid) rename to begin_tenant",
        "alter function tenancy.create_tenant(text, uuid) security definer",
        "grant delete on public.tenants to lab_auth",
        "grant select (name) on infrastructure.vps_instances to lab_app",
        "create policy extra on public.tenants as restrictive for update to lab_app using (false)",
    ):
        with database.connect() as connection:
            connection.execute(edit)  # type: ignore[arg-type]
            assert interface.page(connection) != page, edit
            connection.rollback()


def test_it_says_whose_a_table_is(page: str) -> None:
    assert _cells(page, "### campaigns", "leads")[1:4] == ["tenant", "tenant_id, id", "yes"]
    assert _cells(page, "### public", "tenants")[1:4] == ["tenant", "id", "yes"]
    assert _cells(page, "### users", "users")[1:4] == ["platform", "id", "no"]
    assert _cells(page, "### lab", "builds")[1:4] == ["shared", "part", "no"]


def test_it_names_every_table_once(page: str) -> None:
    tables = page.partition("## Tables\n")[2].partition("## Operations\n")[0]
    for schema, name in catalog.tables():
        section = tables.partition(f"### {schema}\n")[2].partition("###")[0]
        assert len(re.findall(rf"^\| {name} \|", section, re.MULTILINE)) == 1, (schema, name)


def test_it_says_who_calls_what_and_what_comes_back(page: str) -> None:
    signature = "`create_tenant(tenant_name text, creator uuid)`"
    assert _cells(page, "### tenancy", "`create_tenant(")[:3] == [signature, "`uuid`", "lab_auth"]
    returned = _cells(page.partition("## Operations\n")[2], "### billing", "`consume_limit(")
    assert returned[1].startswith("`record(allowed boolean, ")
    assert "OUT" not in returned[0]
    assert returned[2] == "lab_app, lab_platform"


def test_it_says_what_a_role_may_do(page: str) -> None:
    rights = page.partition("## Table rights\n")[2]
    assert _cells(rights, "### lab_app", "campaigns") == ["campaigns", *["all"] * 4]
    assert "prices only (active_until)" in _cells(rights, "### lab_platform", "billing")[3]
    assert _cells(rights, "### lab_app", "public") == ["public", "all", "", "", ""]
    assert "`(id = current tenant)`" in page

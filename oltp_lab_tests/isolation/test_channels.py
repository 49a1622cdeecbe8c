"""Every covert channel is as its file declares it; whatever opens one is seen, by the channel."""

from pathlib import Path

import dagster as dg
import pytest

from oltp_lab import catalog
from oltp_lab.errors import LabError
from oltp_lab.findings import finding
from oltp_lab.isolation.channels import assets
from oltp_lab.isolation.channels import run as channels
from oltp_lab.isolation.channels.run import CLOSED, NOT_PROVEN, OPEN, Lengths, Measured
from oltp_lab.servers import Database
from oltp_lab_tests.findings import measured

LENGTHS = Lengths(trials=40, timed=160, pilot=4, seconds=5, timed_seconds=10)

# What is open then, by what opens it.
OPENED = {
    "unique_key campaigns.leads_pkey": "select 1",  # whose rows have the same ids
    "unique_key_do_nothing campaigns.leads_pkey": "select 1",
    "unique_key campaigns.leads_id_key": "create unique index leads_id_key on campaigns.leads (id)",
    "unique_key_do_nothing campaigns.leads_id_key": "select 1",
    "foreign_key list_leads_lead_fkey": (
        "alter table campaigns.list_leads drop constraint list_leads_lead_fkey,"
        " add constraint list_leads_lead_fkey foreign key (lead_id)"
        " references campaigns.leads (id)"
    ),
    # A view of the owner's, whom nothing forces, and an error that names another tenant's row.
    "operations campaigns.open_lead lead": (
        "alter table campaigns.leads no force row level security;"
        "create view public.lead_ids as select id from campaigns.leads;"
        "alter view public.lead_ids owner to lab_owner;"
        "grant select on public.lead_ids to lab_app;"
        "create function campaigns.open_lead(tenant uuid, lead uuid) returns text"
        " language plpgsql set search_path = pg_catalog as $$ begin"
        " if exists (select from public.lead_ids l where l.id = lead) then"
        "  raise exception 'lead % is not yours', lead; end if;"
        " raise exception 'there is no lead %', lead; end $$"
    ),
    "session_queries": "grant execute on function pg_stat_get_activity(integer) to public",
    "large_object": "grant execute on function lo_from_bytea(oid, bytea) to public",
    "temporary_table": (
        "do $$ begin execute format('grant temporary on database %I to lab_app',"
        " current_database()); end $$"
    ),
    "cursor_across_tenants": (
        "create or replace function lab.enter_tenant(tenant uuid, acting_user uuid default null)"
        " returns void language sql as"
        " $$ select set_config('nile.tenant_id', tenant::text, true) $$"
    ),
}


def _open(found: list[Measured]) -> set[str]:
    return {channel.channel for channel in found if channel.verdict == OPEN}


def test_every_channel_is_as_it_is_declared(seeded: Database) -> None:
    with seeded.connect() as connection:
        before = {key: table.rows for key, table in catalog.describe(connection).items()}
    found = channels.measure(seeded, LENGTHS)
    surprising = {c.channel: (c.verdict, c.detail) for c in found if c.verdict != c.expected}
    assert surprising == {}
    assert {c.name for c in channels.catalogue()} <= {c.channel for c in found}
    with seeded.connect() as connection:
        assert {key: table.rows for key, table in catalog.describe(connection).items()} == before
        left = connection.execute(
            "select count(*) from pg_prepared_xacts where database = current_database()"
            " union all select count(*) from pg_db_role_setting where setdatabase ="
            " (select oid from pg_database where datname = current_database())"
        ).fetchall()
        assert left == [(0,), (0,)]


def test_every_file_says_what_it_must() -> None:
    for channel in channels.catalogue():
        assert channel.question.endswith(("?", ".")), channel.name
        assert {"expected", "observes", "advice"} <= set(channel.header), channel.name
        may_be_open = channel.header["expected"] == OPEN or "closed by" in channel.header
        assert may_be_open == ("because" in channel.header), channel.name


def test_what_opens_a_channel_is_seen(seeded: Database) -> None:
    with seeded.connect() as connection:
        for damage in OPENED.values():
            connection.execute(damage)  # type: ignore[arg-type]
    wanted = {name.split()[0] for name in OPENED}
    assert _open(channels.measure(seeded, LENGTHS, only=wanted)) == set(OPENED)


def test_the_clock_sees_a_look_across_tenants(seeded: Database) -> None:
    """Whose answer is the same and comes later."""
    with seeded.connect() as connection:
        connection.execute(
            "alter table campaigns.leads no force row level security;"
            "create function lab.look() returns trigger language plpgsql security definer"
            " set search_path = pg_catalog as $$ begin"
            " if exists (select from campaigns.leads l where l.email_norm = lower(new.email)) then"
            "  perform count(*) from generate_series(1, 3000); end if;"
            " return new; end $$;"
            "alter function lab.look() owner to lab_owner;"
            "create trigger look before insert on campaigns.leads"
            " for each row execute function lab.look()"
        )
    (found,) = channels.measure(seeded, LENGTHS, only=["time_of_a_unique_key"])
    assert found.verdict == OPEN
    assert found.effect_ns is not None
    assert found.effect_ns > 0


def test_without_tenants_there_is_nothing_to_spy_on(database: Database) -> None:
    with pytest.raises(LabError, match="two active tenants"):
        channels.measure(database, LENGTHS)


def test_without_rows_nothing_is_proven(seeded: Database) -> None:
    with seeded.connect() as connection:
        connection.execute("truncate campaigns.leads cascade")
    (found,) = channels.measure(seeded, LENGTHS, only=["unique_key_do_update"])
    assert found.verdict == NOT_PROVEN


def test_only_a_superuser_closes_some() -> None:
    queries = next(c for c in channels.catalogue() if c.name == "session_queries")
    assert (queries.expected(True), queries.expected(False)) == (CLOSED, OPEN)


def test_the_card_and_the_check_tell_what_is_open(tmp_path: Path) -> None:
    closed = Measured("locks", "Who locks?", CLOSED, CLOSED, 40, most_bits_per_second=9.0)
    opened = Measured("errors", "Who is it?", CLOSED, OPEN, 40, bits_per_second=1000.0)
    outdated = Measured("size", "How many?", OPEN, CLOSED, 40, most_bits_per_second=9.0)
    store = measured.write(tmp_path, covert_channels=channels.rows([closed, outdated]))
    result = assets.closed_channels_stay_closed([closed, outdated])
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    card = finding.read(store, "covert_channels").card
    assert card is not None
    assert (card["tone"], card["leaks"]) == ("good", 0)

    measured.write(tmp_path, measured.later(2), covert_channels=channels.rows([closed, opened]))
    result = assets.closed_channels_stay_closed([closed, opened])
    assert result.severity == dg.AssetCheckSeverity.ERROR
    assert "errors is open, declared closed, 1,000 bit/s" in (result.description or "")
    found = finding.read(store, "covert_channels")
    assert found.card is not None
    assert found.card["tone"] == "bad"
    shown = found.frames["table_channels_that_are_open"]
    assert shown is not None
    assert list(shown["channel"]) == ["errors"]

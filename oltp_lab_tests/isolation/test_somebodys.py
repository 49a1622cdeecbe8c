"""A database that the lab did not make is attacked as well, and left as it was."""

import pytest

from oltp_lab.errors import LabError
from oltp_lab.isolation import subject
from oltp_lab.isolation.attacks import probes
from oltp_lab.isolation.attacks.probes import HELD, LEAKED, NOT_PROVEN, Probe
from oltp_lab.servers import Database
from oltp_lab_tests.isolation.conftest import GIVEN, url_of

_STATE = """
select (select array_agg(oid::regclass::text order by oid) from pg_class where oid >= 16384),
       (select array_agg(proname order by oid) from pg_proc where oid >= 16384),
       (select md5(string_agg(n::text, ',' order by id)) from notes n),
       (select md5(string_agg(b::text, ',' order by account_id)) from bare b)
"""


def _attack(database: Database) -> list[Probe]:
    return list(probes.run(subject.of_somebody(url_of(database), **GIVEN)))


def test_holes_are_told_and_the_rest_holds(theirs: Database) -> None:
    found = _attack(theirs)
    leaks = {(p.table_name, p.attack) for p in found if p.outcome == LEAKED}
    assert {attack for table, attack in leaks if table == "public.notes"} == {
        "guess_key notes_pkey"
    }
    assert ("public.bare", "read") in leaks and ("public.bare", "row_security") in leaks
    assert {table for table, _ in leaks} == {"public.notes", "public.bare"}
    held = {p.attack for p in found if p.table_name == "public.notes" and p.outcome == HELD}
    assert {"read", "insert", "move", "merge_update", "copy_from", probes.CONTROL} <= held


def test_a_table_without_rows_is_not_proven(theirs: Database) -> None:
    outcomes = {p.outcome for p in _attack(theirs) if p.table_name == "public.unused" and p.way}
    assert outcomes - {HELD} == {NOT_PROVEN}, "held are the rules alone"


def test_what_needs_a_commit_is_left_out_and_says_so(theirs: Database) -> None:
    closed = {(p.table_name, p.way): p.detail for p in _attack(theirs) if p.attack == "any"}
    reason = closed["public.notes", "after_commit"]
    assert reason.startswith("it needs a commit, and nothing is committed")


def test_it_is_left_as_it_was(theirs: Database) -> None:
    def state() -> list:
        with theirs.connect() as connection:
            return connection.execute(_STATE).fetchall()

    before = state()
    _attack(theirs)
    assert state() == before


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"tenant_column": "account"}, "no table has a column account: set `tenant_column`"),
        ({"setting": "account"}, "'account' is no parameter of an application: set `setting`"),
        ({"role": "theirs"}, "there is no role theirs: set `role`"),
        ({"role": "postgres"}, "role postgres is a superuser, whom no policy binds"),
    ],
)
def test_bad_input_is_one_sentence(theirs: Database, wrong: dict[str, str], told: str) -> None:
    with pytest.raises(LabError, match=told):
        subject.of_somebody(url_of(theirs), **(GIVEN | wrong))


def test_bypassrls_is_refused(theirs: Database) -> None:
    with theirs.connect() as connection:
        connection.execute("alter role theirs_app bypassrls")
    with pytest.raises(LabError, match="role theirs_app has BYPASSRLS, so no policy binds it"):
        subject.of_somebody(url_of(theirs), **GIVEN)


def test_a_user_who_may_not_act_as_the_application_is_refused(theirs: Database) -> None:
    with pytest.raises(
        LabError, match="theirs_onlooker may not act as theirs_app: run `grant theirs_app"
    ):
        subject.of_somebody(url_of(theirs, "theirs_onlooker"), **GIVEN)


def test_who_watches_must_see_every_row(theirs: Database) -> None:
    with theirs.connect() as connection:
        connection.execute("grant theirs_app to theirs_onlooker")
    with pytest.raises(LabError, match="theirs_onlooker is subject to row level security on notes"):
        subject.of_somebody(url_of(theirs, "theirs_onlooker"), **GIVEN)


def test_a_url_that_is_none_is_refused() -> None:
    with pytest.raises(LabError, match="the run config's url is not a connection URL"):
        subject.of_somebody("nonsense", **GIVEN)

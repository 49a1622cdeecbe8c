"""Each way of breaking isolation is caught, and a suite that always fails would be noticed."""

import pytest

from oltp_lab.errors import LabError
from oltp_lab.isolation import subject
from oltp_lab.isolation.attacks import mutants, probes
from oltp_lab.isolation.attacks.mutants import Mutant
from oltp_lab.servers import Database
from oltp_lab.settings import Settings


def test_mutants_are_caught_and_nothing_without_one(settings: Settings) -> None:
    """Some of each sort; the end-to-end run tries all."""
    chosen = mutants.catalogue(["immutable_helper", "definer_function", "bypassrls"])
    nothing, *broken = mutants.run(settings, chosen, "a test")
    assert nothing.mutant.name == mutants.NONE and nothing.red is None and nothing.probes > 500
    assert [trial.mutant.name for trial in broken if not trial.caught] == []
    assert not (settings.home / "throwaway").exists()


def test_a_mutant_that_breaks_nothing_survives(seeded: Database) -> None:
    harmless = Mutant("harmless", "", frozenset({"campaigns.leads"}), "select 1", "")
    trial = mutants._try(harmless, seeded)
    assert not trial.caught and trial.row["attack"] is None


def test_a_mutant_must_take_back_what_it_did_to_roles(seeded: Database) -> None:
    careless = Mutant("careless", "", frozenset(), "alter role lab_app createrole", "")
    try:
        with pytest.raises(LabError, match="the mutant careless does not undo"):
            mutants._try(careless, seeded)
    finally:
        with seeded.connect() as connection:
            connection.execute("alter role lab_app nocreaterole")


def test_a_name_that_there_is_not_is_refused() -> None:
    with pytest.raises(LabError, match="there is no mutant nonsense"):
        mutants.catalogue(["nonsense", "using_true"])


def test_every_mutant_says_what_it_breaks() -> None:
    assert len(mutants.catalogue()) >= 30
    for mutant in mutants.catalogue():
        assert mutant.description.endswith("."), mutant.name
        assert mutant.damage.strip(), mutant.name


@pytest.mark.parametrize("name", ["using_true", "new_table_without_policy", "bypassrls"])
def test_the_attacks_end_whatever_gets_through(seeded: Database, name: str) -> None:
    """Also where TRUNCATE succeeds: nothing waits for a lock of the lab itself."""
    (mutant,) = mutants.catalogue([name])
    try:
        mutants.apply(mutant, seeded)
        found = list(probes.run(subject.of_the_lab(seeded), mutant.tables))
    finally:
        mutants._execute(seeded, mutant.undo)
    assert mutant.tables <= {p.table_name for p in found if p.outcome == probes.LEAKED}
    assert "55P03" not in {p.detail[:5] for p in found}, "no attack waited for a lock"

import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import duckdb
import pytest

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.findings import finding, report
from oltp_lab.findings.questions import questions
from oltp_lab.measuring.store import macros
from oltp_lab_tests.findings import measured

TIMES = "\N{MULTIPLICATION SIGN}"
VOID = {"meta", "link", "br", "wbr", "hr", "img"}


class Page(HTMLParser):
    """Raises for elements that are not closed where they should be; gathers links, ids and text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text("utf-8")
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src", "xlink:href"):
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data


@pytest.fixture
def page_path(tmp_path: Path) -> Path:
    return tmp_path / "report" / "index.html"


@pytest.fixture(scope="module")
def whole_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lab home where everything was measured, to be read or copied."""
    home = tmp_path_factory.mktemp("home")
    measured.everything(home)
    return home


@pytest.fixture(scope="module")
def whole(whole_home: Path) -> Page:
    """The page of that home."""
    return _page(measured.write(whole_home), whole_home / "report" / "index.html")


@pytest.fixture
def without(tmp_path: Path, whole_home: Path) -> Callable[[str], measured.Measurements]:
    """Everything but one table."""

    def stored(table: str) -> measured.Measurements:
        ignore = shutil.ignore_patterns(table)
        shutil.copytree(whole_home / "measurements", tmp_path / "measurements", ignore=ignore)
        return measured.write(tmp_path)

    return stored


def _page(store: measured.Measurements, path: Path) -> Page:
    report.write(store, path)
    return Page(path)


def test_the_parser_sees_what_is_not_closed(tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    broken.write_text("<section><p>never closed</section>")
    with pytest.raises(AssertionError, match="section"):
        Page(broken)


def test_the_page_stands_alone(whole: Page, whole_home: Path) -> None:
    page = whole
    assert "http" not in page.source.replace("http-equiv", "")
    assert "@import" not in page.source
    assert set(re.findall(r"url\((.)", page.source)) <= {"#"}
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        elif link != "data:,":
            file = whole_home / "report" / unquote(link)
            assert duckdb.read_parquet(str(file)).fetchone()
    assert any(link.startswith("../measurements/load_runs/run-1") for link in page.links)


def test_its_numbers_are_those_of_the_files(whole: Page) -> None:
    text = whole.text
    for shown in (
        "18.6",
        "0123abcd",
        "±2.3 %",
        "1,234,567",  # rows of leads
        "0 leaks in 3 probes",
        f"p95 {TIMES} 300",  # from 8 to 1,000 sessions
        "campaign report: p95 4.0 → 1,200.0 ms",
        f"1.03 {TIMES} [1.01, 1.05] for lead lookup",
        f"1.40 {TIMES}",  # without the filter
        "5,000 rows in 0.25 s, 20,000 rows/s",
        "0.7 s behind",
        "812",  # MB of the server
    ):
        assert shown in text, shown
    answered = sum(bool(line.answers) for line in questions())
    assert f"{answered} of 148 lines answered" in text
    assert "not measured" not in text


def test_what_was_not_measured_is_said(tmp_path: Path, page_path: Path) -> None:
    page = _page(measured.write(tmp_path), page_path)
    assert page.text.count("not measured in this lab home") == len(finding.names()) + 2
    assert "<table>" not in page.source


@pytest.mark.parametrize("table", measured.TABLES)
def test_any_one_table_may_be_missing(
    without: Callable[[str], measured.Measurements], table: str
) -> None:
    """What asks for it says so; workloads ask the same of the same tables: one stands for all."""
    alike = {f"load_{name}" for name in measured.ARMS} - {"load_campaign_scale"}
    asking = [name for name in finding.names() if name not in alike and _asks(name, table)]
    store = without(table)
    for found in [finding.read(store, name) for name in asking]:
        assert found.card is None or any(frame is None for frame in found.frames.values())
    assert asking


def _asks(name: str, table: str) -> bool:
    queries = sql.queries(f"findings/{name}.sql").values()
    texts = [text for query in queries for text in (query, *macros(query).values())]
    return any(re.search(rf"\b(from|join) {table}\b", text) for text in texts)


def test_a_part_that_is_missing_leaves_the_rest(
    without: Callable[[str], measured.Measurements],
) -> None:
    found = finding.read(without("resource_samples"), "load_tenant_isolation")
    assert found.frames["table_throughput_and_what_it_took"] is None
    assert found.card
    assert "1,200.0 ms" in found.card["effect"]


def test_a_leak_is_told(tmp_path: Path) -> None:
    leak = measured.probes("leaked", "7 row(s) reached")
    store = measured.write(tmp_path, isolation_probes=leak)
    found = finding.read(store, "isolation")
    assert found.card
    assert (found.card["verdict"], found.card["tone"]) == ("It can", "bad")
    assert found.figures["leaks"] == 1.0
    assert found.headline == "isolation: 3 probes, 1 leaks, 0 not proven"
    told = found.frames["table_probes_that_did_not_hold"]
    assert told is not None
    assert told["detail"].tolist() == ["7 row(s) reached"]


def test_what_is_not_proven_is_not_called_safe(tmp_path: Path) -> None:
    store = measured.write(tmp_path, isolation_probes=measured.probes("not proven", "no rows"))
    card = finding.read(store, "isolation").card
    assert card
    assert (card["verdict"], card["tone"]) == ("Not proven everywhere", "fair")


def test_a_broken_load_run_is_told_but_not_measured_by(tmp_path: Path) -> None:
    measured.write(
        tmp_path,
        load_runs=measured.load_runs(),
        load_operations=measured.load_operations(),
        transactions=measured.transactions(),
    )
    store = measured.write(
        tmp_path,
        measured.later(2),
        isolation_load=measured.isolation_load(),
        load_runs=measured.load_runs(aborted=3, complete=False, tps=9999.0),
        load_operations=measured.load_operations(p95_ms=1.0),
    )
    load, under_load = (
        finding.read(store, name) for name in ("load_tenant_isolation", "isolation_under_load")
    )
    assert load.card
    assert load.card["run_id"] == "run-1"
    assert load.figures["p95_most"] == 1200.0
    assert under_load.card
    assert (under_load.card["run_id"], under_load.card["tone"]) == ("run-2", "bad")
    assert under_load.figures["aborted"] == 6.0


@pytest.mark.parametrize(
    ("changes", "verdict", "tone"),
    [
        ({}, "It holds", "good"),
        ({"leaks": 2}, "It leaks", "bad"),
        ({"control_leaks": 5}, "Not proven", "fair"),
        ({"assertions": 0}, "Not proven", "fair"),
        ({"skipped": "no pool"}, "Not proven", "fair"),
    ],
)
def test_isolation_under_load_is_judged_by_its_controls_too(
    tmp_path: Path, changes: dict, verdict: str, tone: str
) -> None:
    store = measured.write(
        tmp_path, load_runs=measured.load_runs(), isolation_load=measured.isolation_load(**changes)
    )
    card = finding.read(store, "isolation_under_load").card
    assert card
    assert (card["verdict"], card["tone"]) == (verdict, tone)


def test_without_a_complete_run_there_is_no_card(tmp_path: Path) -> None:
    store = measured.write(
        tmp_path,
        load_runs=measured.load_runs(complete=False),
        load_operations=measured.load_operations(),
    )
    assert finding.read(store, "load_tenant_isolation").card is None
    assert (
        finding.read(store, "load_tenant_isolation").headline
        == "load tenant isolation: not measured in this lab home"
    )


def test_the_newest_run_is_shown(tmp_path: Path) -> None:
    measured.write(tmp_path, isolation_probes=measured.probes("leaked"))
    store = measured.write(tmp_path, measured.later(2), isolation_probes=measured.probes())
    found = finding.read(store, "isolation")
    assert found.figures["leaks"] == 0.0
    assert [file.name for file in found.files] == ["run-2.parquet"]


@pytest.mark.parametrize(
    ("ratio", "judged", "verdict", "tone"),
    [
        (1.031, "equivalent", "Nothing that matters", "good"),
        (1.16, "inconclusive", "Too little to tell", "fair"),
        (1.12, "different", "Up to 12 %", "fair"),
        (2.5, "different", "Up to 150 %", "bad"),
        (0.8, "different", "Nothing that matters", "good"),
    ],
)
def test_the_cost_of_rls_is_said_as_it_was_judged(
    tmp_path: Path, ratio: float, judged: str, verdict: str, tone: str
) -> None:
    store = measured.write(
        tmp_path,
        experiments=measured.experiments(),
        experiment_variants=measured.experiment_variants(ratio, judged),
    )
    card = finding.read(store, "rls_cost").card
    assert card
    assert (card["verdict"], card["tone"]) == (verdict, tone)


@pytest.mark.parametrize(
    ("told", "verdict", "tone"),
    [
        ({}, "Counters here, reports elsewhere", "good"),
        ({"sync": 1.6}, "Counters here, reports elsewhere", "fair"),
        ({"report": "inconclusive"}, "Delegate reports: they are faster there", "good"),
        ({"p95_noise": None, "p95_low": None, "p95_high": None}, "Too little was measured", "fair"),
    ],
)
def test_whether_to_delegate_is_as_measured(
    tmp_path: Path, told: dict, verdict: str, tone: str
) -> None:
    store = measured.write(tmp_path, freshness=measured.freshness(**told))
    found = finding.read(store, "freshness")
    assert found.card
    assert (found.card["verdict"], found.card["tone"]) == (verdict, tone)
    assert "400 ms in the OLTP, 10.0 ms on the mart" in found.card["effect"]
    assert "same answer" in found.card["correctness"]


def test_a_cost_that_cannot_be_told_does_not_hide_one_that_can(tmp_path: Path) -> None:
    noisy = [
        row | {"operation": "noisy"} for row in measured.experiment_variants(1.5, "inconclusive")
    ]
    store = measured.write(
        tmp_path,
        experiments=measured.experiments(),
        experiment_variants=[*noisy, *measured.experiment_variants(1.08, "different")],
    )
    card = finding.read(store, "rls_cost").card
    assert card
    assert card["verdict"] == "Up to 8 %"
    assert "1 different, 0 equivalent, 1 inconclusive" in card["evidence"]


def test_names_are_escaped(tmp_path: Path, page_path: Path) -> None:
    rows = measured.probes("leaked", "<script>alert('x')</script> & co")
    page = _page(measured.write(tmp_path, isolation_probes=rows), page_path)
    assert "<script" not in page.source
    assert "<script>alert('x')</script> & co" in page.text


def test_headlines_say_every_finding_once(tmp_path: Path) -> None:
    lines = report.headlines(measured.everything(tmp_path))
    assert [line.partition(":")[0].replace(" ", "_") for line in lines] == finding.names()
    assert (
        "rls cost: 1.03x [1.01, 1.05] for lead lookup (equivalent)"
        in lines[finding.names().index("rls_cost")]
    )


def test_a_page_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("in the way")
    with pytest.raises(LabError, match=r"cannot write the report to .* set OLTP_LAB_HOME"):
        report.write(measured.write(tmp_path), tmp_path / "report" / "index.html")


def test_a_page_is_replaced_whole(tmp_path: Path, page_path: Path) -> None:
    assert "5,000 rows" not in _page(measured.write(tmp_path), page_path).text
    store = measured.write(tmp_path, syncs=measured.syncs())
    assert "5,000 rows" in _page(store, page_path).text
    assert [file.name for file in page_path.parent.iterdir()] == ["index.html"]

import pandas as pd
import pytest

from oltp_lab.findings import tables


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([1234567, 3], ["1,234,567", "3"]),
        ([0.2134, 1523.4], ["0.21", "1,523.40"]),
        ([12.34, 150.0], ["12.3", "150.0"]),
        ([412.7, 1800.2], ["413", "1,800"]),
        ([0.0042, None], ["0.004", tables.ABSENT]),
        ([8.0, 0.0], ["8", "0"]),
        ([42.3, 0.1], ["42.3", "0.1"]),
        ([float("nan"), float("nan")], [tables.ABSENT, tables.ABSENT]),
    ],
)
def test_figures_of_a_column_are_rounded_alike(values: list[float], texts: list[str]) -> None:
    table = tables.of(pd.DataFrame({"figure": values}), "Figures")
    assert [row[0] for row in table.rows] == texts
    assert table.columns[0].numeric


def test_texts_and_times_stand_as_they_are() -> None:
    frame = pd.DataFrame({"at": pd.to_datetime(["2026-01-02 03:04:05"], utc=True), "what": [None]})
    table = tables.of(frame, "Texts")
    assert table.rows == (("2026-01-02 03:04:05", tables.ABSENT),)
    assert not any(column.numeric for column in table.columns)


def test_markdown_aligns_figures_and_keeps_bars_in_their_cell() -> None:
    table = tables.of(pd.DataFrame({"plan": ["a | b"], "rows": [1000]}), "Plans")
    assert table.markdown().splitlines() == [
        "| plan | rows |",
        "| --- | --: |",
        "| a &#124; b | 1,000 |",
    ]

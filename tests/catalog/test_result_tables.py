"""Result tables: CSV holds every digit, Markdown and LaTeX what a reader sees, and no markup."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.catalog.summed_results import Sums, keep_sums, read_sums
from annotator.records.figure import DOTS, Figure, Panel, Series
from annotator.records.table import Table
from annotator.validate.ablate import accuracy_table
from annotator.validate.correlation_tables import (
    Correlation,
    Medians,
    correlation_table,
    medians_table,
)
from annotator.validate.variant_differences import Difference
from annotator.validate.variants import difference_table
from annotator.views.comparison_tables import comparison_tables
from annotator.views.export import latex, markdown
from annotator.views.export.result_tables import numbers, shown, write_result
from tests.validate.made import ABLATED, comparison

ROWS = (
    Correlation("copying", True, 1, 40, 0.91234567, (0.8, 0.95), -0.5, (-0.7, -0.1234)),
    Correlation(
        "a_b & 50%", False, 10, 31, None, None, 0.25, None, "the static scores are the same"
    ),
)


def correlated(rows: Sequence[Correlation]) -> Table:
    return correlation_table(rows, "correlate", "A title", "About it.")


def medians(rows: Sequence[Medians]) -> Table:
    return medians_table(rows, "medians", "A title")


def text_of(table: pa.Table, write: Callable[[pa.Table, BinaryIO], None]) -> str:
    file = io.BytesIO()
    write(table, file)
    return file.getvalue().decode()


def cells_of(line: str) -> list[str]:
    """The cells of a Markdown row, unescaped."""
    parts = re.split(r"(?<!\\)\|", line)[1:-1]
    return [re.sub(r"\\(.)", r"\1", part.strip()) for part in parts]


def test_markdown() -> None:
    lines = text_of(shown(correlated(ROWS)), markdown.write).splitlines()
    assert lines == [
        "| relation | k | sources | r without context | 95 % | r with context | 95 % "
        "| missing because |",
        "| :--- | ---: | ---: | ---: | :--- | ---: | :--- | :--- |",
        "| copying | 1 | 40 | 0.912 | 0.800 to 0.950 | -0.500 | -0.700 to -0.123 |  |",
        r"| a\_b \& 50% | 10 | 31 | – | – | 0.250 | – | the static scores are the same |",
    ]


def test_latex() -> None:
    lines = text_of(shown(correlated(ROWS)), latex.write).splitlines()
    assert lines == [
        r"\begin{tabular}{lrrrlrll}",
        r"\toprule",
        r"relation & k & sources & r without context & 95 \% & r with context & 95 \% "
        r"& missing because \\",
        r"\midrule",
        r"copying & 1 & 40 & 0.912 & 0.800 to 0.950 & $-0.500$ & -0.700 to -0.123 &  \\",
        r"a\_b \& 50\% & 10 & 31 & -- & -- & 0.250 & -- & the static scores are the same \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_csv_holds_every_digit(tmp_path: Path) -> None:
    files = write_result(tmp_path / "new", correlated(ROWS))
    assert [path.name for path in files] == ["correlate.csv", "correlate.md", "correlate.tex"]
    with files[0].open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert float(first["without"]) == 0.91234567
    assert [float(first[f"with_context{end}"]) for end in ("", "_low", "_high")] == [
        -0.5,
        *(-0.7, -0.1234),
    ]
    assert second["relation"] == "a_b & 50%"
    assert second["without"] == second["with_context_low"] == ""
    assert (first["published"], second["published"]) == ("true", "false")


texts = st.text(st.characters(codec="utf-8"), max_size=30)


@given(st.lists(texts, min_size=1, max_size=4))
def test_any_text_stays_in_its_markdown_cell(values: list[str]) -> None:
    lines = text_of(pa.table({"a|b": values, "n": list(range(len(values)))}), markdown.write)
    header, _, *rows = lines.removesuffix("\n").split("\n")
    assert cells_of(header) == ["a|b", "n"]
    shown = [" ".join(value.splitlines()).strip() for value in values]
    assert [cells_of(row)[0] for row in rows] == shown
    assert all(len(cells_of(row)) == 2 for row in rows)


COMMANDS = re.compile(
    r"\\(textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar)\{\}"
)
BACK = {
    **{"textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textless": "<"},
    **{"textgreater": ">", "textbar": "|"},
}


@given(texts.filter(lambda text: not re.fullmatch(r"-\d.*", text) and "–" not in text))
def test_any_text_stays_in_its_latex_cell(value: str) -> None:
    """Read back: no character is special that is not meant to be."""
    line = text_of(pa.table({"a": [value]}), latex.write).split("\n")[4]
    cell = line.removesuffix(r" \\")
    bare = re.sub(r"\\textasciigrave\{\}|-\{\}", "", COMMANDS.sub("", cell))
    bare = re.sub(r"\\[&%$#_{}]", "", bare).replace("{[}", "").replace("{]}", "")
    assert not set(bare) & set(r"\&%$#_{}~^")
    back = COMMANDS.sub(lambda found: {"\\": "\0"}.get(BACK[found[1]], BACK[found[1]]), cell)
    back = back.replace(r"\textasciigrave{}", "`").replace("-{}", "-")
    back = re.sub(r"\\([&%$#_{}])", r"\1", back.replace("{[}", "[").replace("{]}", "]"))
    if "\0" not in value and "{}" not in value and "{[" not in value and "{]" not in value:
        assert back.replace("\0", "\\") == " ".join(value.splitlines())


def test_dashes_are_no_longer_than_they_are() -> None:
    shown = text_of(pa.table({"a": ["--help", "multi-token", "-0.5", "-x", "1 - 2"]}), latex.write)
    cells = [line.removesuffix(r" \\") for line in shown.splitlines()[4:-2]]
    assert cells == ["-{}-help", "multi-token", "$-0.5$", "-x", "1 - 2"]


def test_medians() -> None:
    result = medians([Medians("tiny", 3, 0.5, None), Medians("GPT-2 xl", 18, 0.945, 0.736)])
    assert numbers(result).column_names == ["of", "relations", "without", "with_context"]
    lines = text_of(shown(result), markdown.write).splitlines()
    assert lines[2:] == ["| tiny | 3 | 0.500 | – |", "| GPT-2 xl | 18 | 0.945 | 0.736 |"]


def test_accuracies() -> None:
    result = accuracy_table(ABLATED)
    first, second, third = numbers(result).to_pylist()
    assert first["random"] == pytest.approx(0.832)
    assert (first["control_base"], first["control"]) == pytest.approx((0.9, 0.8))
    assert (first["step"], first["controls"], first["draws"]) == (3, "copying antonym", 5)
    assert (second["control"], second["controls"], second["own"]) == (None, "", 0.5)
    assert (third["base"], third["step"], third["own"]) == (0.05, None, None)
    assert shown(result)["missing because"].to_pylist() == ["", *(r.reason for r in ABLATED[1:])]


def test_differences() -> None:
    paired = (0.0123, -0.01, 0.05)
    rows = [
        Difference("value gain", None, 20, 0.9, paired, 0.8, None),
        Difference("value gain", "copying", 1, None, None, 0.8, paired),
    ]
    result = difference_table(rows)
    first, second = numbers(result).to_pylist()
    assert (first["relation"], second["relation"]) == (None, "copying")
    assert first["without_difference"] == 0.0123
    assert (second["with_context_difference_low"], second["without"]) == (-0.01, None)
    lines = text_of(shown(result), markdown.write).splitlines()
    assert "| value gain | median of 20 | 0.900 | +0.012 (-0.010 to +0.050) | 0.800 | – |" in lines


def test_comparisons(tmp_path: Path) -> None:
    results = {table.name: table for table in comparison_tables(comparison())}
    for result in results.values():
        write_result(tmp_path, result)
    assert numbers(results["compare"])["relation heads"].to_pylist() == [3, 3]
    groups = numbers(results["compare_groups"]).to_pylist()
    assert groups[0]["p"] > 0
    assert groups[1]["missing because"] == "no two heads share their values"
    relations = numbers(results["compare_relations"]).to_pylist()
    assert relations[0] == {
        **{"relation": "capital", "model": "a/small-model", "heads": 3, "best": "L4H0", "phi": 0.6},
        "depth": pytest.approx(11 / 12),
    }
    depth = numbers(results["compare_depth"]).to_pylist()
    assert [row["relation heads"] for row in depth if row["model"] == "another"][-3:] == [1, 0, 2]
    assert shown(results["compare_overlap"]).num_rows == 1
    assert "| capital, copying | 2 of 3 | 2 of 3 |" in (tmp_path / "compare_overlap.md").read_text()


def test_a_table_without_rows() -> None:
    nothing = [correlated([]), medians([]), accuracy_table([]), difference_table([])]
    for result in nothing:
        assert text_of(shown(result), markdown.write).count("\n") == 2
        assert "\\midrule\n\\bottomrule" in text_of(shown(result), latex.write)


def test_sums_come_back_as_they_were(tmp_path: Path) -> None:
    tables = [correlated(ROWS), accuracy_table(ABLATED), medians([])]
    panel = Panel("copying", "50 prompts", [Series("own", DOTS, [0, 1], [0.25, 1 / 3])], at=1)
    keep_sums(tmp_path, "a digest", Sums(tables, [Figure("one", "x", "y", [panel])]))
    found = read_sums(tmp_path, "a digest")
    assert found is not None
    for table, other in zip(tables, found.tables, strict=True):
        assert numbers(table).equals(numbers(other))
        assert shown(table).equals(shown(other))
        assert (table.note, table.unmeasured, table.chart) == (
            *(other.note, other.unmeasured, other.chart),
        )
    assert found.figures == [Figure("one", "x", "y", [panel])]
    assert read_sums(tmp_path, "another") is None
    (tmp_path / "summed.json").write_text('{"of": "a digest", "sums": {"tables": 1}}')
    assert read_sums(tmp_path, "a digest") is None

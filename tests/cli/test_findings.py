"""What the experiments print: every number in its row, in 80 columns and in 140."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from annotator.cli.compare import print_compare
from annotator.cli.validate import print_findings
from annotator.pipeline.validate import Findings
from annotator.records.table import Table
from annotator.validate import multi_token
from annotator.validate.ablate import accuracy_table
from annotator.validate.correlate import PUBLISHED
from annotator.validate.correlation_tables import (
    Correlation,
    correlation_table,
    medians,
    medians_table,
)
from annotator.validate.variant_differences import Difference
from annotator.validate.variants import difference_table
from tests.validate.made import ABLATED, comparison

LONGEST = "adjective_comparative"
ROWS = (
    Correlation(LONGEST, True, 10, 1234, 0.91234, (0.8, 0.95), -0.5, (-0.7, -0.12)),
    Correlation("copying", True, 1, 40, None, None, 0.25, None, "the static scores are the same"),
    Correlation("own_one", False, 10, 31, reason="no scores"),
)
PAIRED = (-0.123, -0.2, -0.01)
DIFFERENCES = (
    Difference("unembedding gain", None, 20, 0.9, PAIRED, 0.8, None),
    Difference("unembedding gain", LONGEST, 1, 0.91, PAIRED, 0.8, PAIRED),
)
Capture = pytest.CaptureFixture[str]


@pytest.fixture(params=[80, 140], autouse=True)
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("COLUMNS", str(request.param))
    return request.param


def printed(capsys: Capture, width: int) -> list[str]:
    """The lines, none wider than the terminal."""
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    return [" ".join(line.split()) for line in lines]


def print_tables(heading: str, tables: Sequence[Table], files: Sequence[Path] = ()) -> None:
    print_findings(Findings(heading, {table.name: table for table in tables}, files))


def test_correlations(capsys: Capture, width: int) -> None:
    files = [Path("/o/validation/correlate.csv"), Path("/o/validation/correlate.png")]
    absent = {"value gain": "no norm stands before its attention"}
    over = medians_table(medians(ROWS, "tiny", PUBLISHED), "medians", "Medians")
    variants = replace(difference_table(DIFFERENCES), reasons=absent)
    rows = correlation_table(ROWS, "correlate", "Correlations", "")
    print_tables("Static and dynamic scores of tiny", [rows, over, variants], files)
    lines = printed(capsys, width)
    assert lines[0] == "Static and dynamic scores of tiny"
    assert f"{LONGEST} 10 1234 0.912 0.80, 0.95 -0.500 -0.70, -0.12" in lines
    assert "copying 1 40 - - 0.250 -" in lines
    assert "copying: the static scores are the same." in lines
    assert "own_one: no scores." in lines
    assert "tiny, the paper's relations 2 0.912 -0.125" in lines
    assert "GPT-2 xl, published 18 0.945 0.736" in lines
    assert f"{LONGEST} 0.910 -.12 (-.20, -.01) 0.800 -.12 (-.20, -.01)" in lines
    assert "value gain: no norm stands before its attention." in lines
    assert lines[-1] == "Written to /o/validation: correlate.csv, correlate.png"


def test_several_tokens(capsys: Capture, width: int) -> None:
    natural = [replace(row, form="natural") for row in ROWS]
    paper = [replace(ROWS[0], form="paper", without=0.5)]
    rows = correlation_table([*natural, *paper], "multi-token", "Several", "")
    over = medians(natural, "tiny", multi_token.PUBLISHED, multi_token.is_published)
    print_tables("Several tokens", [rows, medians_table(over, "medians", "Medians")])
    lines = printed(capsys, width)
    assert lines.index("natural form") < lines.index("paper form")
    assert f"{LONGEST} 10 1234 0.500 0.80, 0.95 -0.500 -0.70, -0.12" in lines
    assert "Pythia 12B, published 11 0.850 0.640" in lines


def test_ablations(capsys: Capture, width: int) -> None:
    print_tables("Accuracy", [accuracy_table(ABLATED)])
    lines = printed(capsys, width)
    assert "country_capital 50 0.90 3 0.00 0.83 0.90 to 0.80" in lines
    assert "copying 40 0.70 2 0.50 0.70 -" in lines
    assert "antonym: the model answers 5 % of its prompts." in lines


def test_nothing_to_ablate(capsys: Capture, width: int) -> None:
    print_tables("Accuracy", [accuracy_table(ABLATED[2:])])
    assert not any(line.startswith("relation prompts") for line in printed(capsys, width))


def test_comparisons(capsys: Capture, width: int) -> None:
    print_compare(comparison())
    lines = printed(capsys, width)
    assert "a/small-model 20 3 1 2 0 0 0" in lines
    assert "another · · · · · · · 1 · 2" in lines
    assert "capital 3 L4H0 0.60 3 L4H0 0.60" in lines
    assert "capital, copying 2 of 3 2 of 3" in lines
    assert "another: KV groups: no two heads share their values." in lines


def test_many_models_stand_below_each_other(capsys: Capture, width: int) -> None:
    made = comparison()
    first = made.models[0]
    models = tuple(replace(first, name=f"model-{n}") for n in range(9))
    shared = [replace(one, heads={m.name: (1, 2) for m in models}) for one in made.shared]
    print_compare(replace(made, models=models, shared=tuple(shared)))
    lines = printed(capsys, width)
    headers = [line for line in lines if line.startswith("relation model-")]
    assert len(headers) == (3 if width == 80 else 2)
    assert " ".join(headers).count("model-") == 9

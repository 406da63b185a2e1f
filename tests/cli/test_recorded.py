"""What experiments gave is read back as it was written, without the model."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest

import annotator
from annotator.catalog.export import csv
from annotator.catalog.location import FILE as MODEL
from annotator.catalog.read import open_catalog
from annotator.catalog.validation import FOLDER
from annotator.pipeline.recorded import recorded
from tests.related import RELATIONS

pytestmark = pytest.mark.usefixtures("no_figures")


def test_results_are_those_that_were_written(answering: Path) -> None:
    annotator.correlate(answering, variants=True, progress=False)
    annotator.multi_token(answering, progress=False)
    ablated = annotator.ablate(answering, seed=3, progress=False)
    (answering / MODEL).unlink()
    found = recorded(open_catalog(answering), progress=False)
    names = ("correlate", "correlate-medians", "variants", "multi-token", "multi-token-medians")
    assert list(found.results) == [*names, "ablate"]
    for name, result in found.results.items():
        file = BytesIO()
        csv.write(result.numbers, file)
        assert file.getvalue() == (answering / FOLDER / f"{name}.csv").read_bytes()
    assert list(found.ablations) == list(ablated.rows)
    assert set(found.tables) == {"correlate", "variants", "multi_token", "ablate"}
    tables = recorded(open_catalog(answering), summed=False, progress=False)
    assert (tables.results, tables.ablations) == ({}, ())
    for name, table in found.tables.items():
        assert table.equals(tables.tables[name])


def test_what_was_measured_on_other_pairs_is_left_out(answering: Path) -> None:
    annotator.correlate(answering, progress=False)
    annotator.score_relations(answering, RELATIONS, draws=50, progress=False)
    found = recorded(open_catalog(answering), progress=False)
    assert (found.tables, found.results) == ({}, {})


def test_a_catalog_without_scores_has_nothing(tiny_folder: Path, tmp_path: Path) -> None:
    catalog = annotator.map_model(tiny_folder, tmp_path / "catalog", progress=False)
    assert recorded(catalog).tables == {}

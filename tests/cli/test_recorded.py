"""What experiments gave is read back as it was written, without the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import annotator
from annotator.catalog.experiment_shards import VALIDATION_FOLDER
from annotator.catalog.model_location import LOCATION_FILE as MODEL
from annotator.catalog.read import open_catalog
from annotator.errors import CatalogUnwritable
from annotator.pipeline.experiment_results import read_results
from annotator.records.table import Table
from annotator.validate.experiment import Experiment, ExperimentRows
from annotator.validate.registry import EXPERIMENTS, experiment
from annotator.views.export import csv
from annotator.views.export.result_tables import numbers
from tests.related import RELATIONS

pytestmark = pytest.mark.usefixtures("no_figures")


def test_results_are_those_that_were_written(answering: Path) -> None:
    annotator.correlate(answering, variants=True, progress=False)
    annotator.multi_token(answering, progress=False)
    annotator.ablate(answering, seed=3, progress=False)
    (answering / MODEL).unlink()
    found = read_results(open_catalog(answering), progress=False)
    assert [one.experiment.name for one in found] == list(EXPERIMENTS)
    tables = [table for one in found if one.sums for table in one.sums.tables]
    names = ("correlate", "correlate-medians", "multi-token", "multi-token-medians", "ablate")
    assert [table.name for table in tables] == [*names, "variants"]
    for table in tables:
        file = BytesIO()
        csv.write(numbers(table), file)
        assert file.getvalue() == (answering / VALIDATION_FOLDER / f"{table.name}.csv").read_bytes()
    bare = read_results(open_catalog(answering), summed=False, progress=False)
    for one, other in zip(found, bare, strict=True):
        assert other.sums is None
        assert one.rows.equals(other.rows)


def test_sums_are_made_once_and_anew_where_a_shard_has_changed(
    answering: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summed: list[str] = []
    for name, known in {name: experiment(name) for name in EXPERIMENTS}.items():

        def noting(kept: ExperimentRows, own: Experiment = known) -> Sequence[Table]:
            summed.append(own.name)
            return own.tables(kept)

        monkeypatch.setattr(
            import_module(EXPERIMENTS[name]), "EXPERIMENT", replace(known, tables=noting)
        )
    annotator.correlate(answering, variants=True, progress=False)
    annotator.ablate(answering, progress=False)
    assert summed == ["correlate", "variants", "ablate"]
    first = read_results(open_catalog(answering), progress=False)
    assert len(summed) == 3
    broken = answering / VALIDATION_FOLDER / "ablate" / "summed.json"
    broken.write_text(broken.read_text()[:-9])
    shard = answering / VALIDATION_FOLDER / "correlate" / "known.parquet"
    rows = pq.read_table(shard)
    moved = rows.set_column(
        rows.schema.get_field_index("without"), rows.schema.field("without"), rows["static"]
    )
    pq.write_table(moved, shard)
    again = read_results(open_catalog(answering), progress=False)
    assert summed[3:] == ["correlate", "ablate", "variants"], "variants stand beside correlate"
    assert [one.experiment.name for one in again] == ["correlate", "ablate", "variants"]
    before, after = (found[0].sums for found in (first, again))
    assert before is not None
    assert after is not None
    assert before.tables[0] != after.tables[0]
    read_results(open_catalog(answering), progress=False)
    assert len(summed) == 6


def test_a_catalog_that_cannot_be_written_is_summed_up_all_the_same(
    answering: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotator.correlate(answering, progress=False)
    (answering / VALIDATION_FOLDER / "correlate" / "summed.json").unlink()

    def full(path: Path) -> Any:
        raise CatalogUnwritable(str(path), "no space left on device")

    monkeypatch.setattr("annotator.catalog.summed_results.whole_file", full)
    (found,) = read_results(open_catalog(answering), progress=False)
    assert found.sums is not None
    assert not list(answering.rglob("summed.json"))


def test_what_was_measured_on_other_pairs_is_left_out(answering: Path) -> None:
    annotator.correlate(answering, progress=False)
    annotator.score_relations(answering, RELATIONS, draws=50, progress=False)
    found = read_results(open_catalog(answering), progress=False)
    assert found == []


def test_a_catalog_without_scores_has_nothing(tiny_folder: Path, tmp_path: Path) -> None:
    catalog = annotator.map_model(tiny_folder, tmp_path / "catalog", progress=False)
    assert read_results(catalog) == []

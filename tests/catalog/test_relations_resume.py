"""Scores of relations that are stopped or killed: no finished layer again, and the same bytes."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

import annotator
from annotator.catalog.relations_builder import RELATION_SHARDS
from annotator.cli import main
from annotator.errors import NoRelations
from annotator.maps.relations import relation_scores
from annotator.maps.settings import MapSettings
from annotator.pipeline.relations import score_relations
from tests import PATIENCE, tiny
from tests.commands import SCRIPT
from tests.related import DRAWS, RELATIONS, SPARSE, made, tables, written

FEW = RELATIONS[:1]


class Stopped(Exception):
    """A run that ends here."""


def test_no_finished_layer_is_scored_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a map that is made again does not get in the way."""
    wanted: list[list[int]] = []
    heads = {"num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 4}
    model = tiny.save(tmp_path / "wide", tiny.llama(num_hidden_layers=5, **heads))
    wide = annotator.map_model(model, tmp_path / "wide-catalog")
    finished = tables(score_relations(wide, FEW, draws=50).folder)
    engine = relation_scores

    def stopping(*args: Any, layers: list[int], **options: Any) -> Any:
        wanted.append(list(layers))
        for scores in engine(*args, layers=layers, **options):
            if scores.layer == 3 and len(wanted) == 1:
                raise Stopped
            yield scores

    monkeypatch.setattr("annotator.maps.relations.relation_scores", stopping)
    with pytest.raises(Stopped):
        score_relations(wide, FEW, seed=1)
    assert tables(wide.folder) == finished, "older scores stay until the new ones are finished"
    annotator.map_model(model, wide.folder)
    score_relations(wide, FEW, seed=1)
    assert wanted == [[0, 1, 2, 3, 4], [3, 4]]
    assert not (wide.folder / RELATION_SHARDS).exists()
    resumed = tables(wide.folder)
    score_relations(wide, FEW, seed=0)
    assert tables(wide.folder) == finished
    score_relations(wide, FEW, seed=1)
    assert tables(wide.folder) == resumed


def test_shards_of_other_relations_are_not_used(
    catalog: annotator.Catalog, scored: annotator.Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(
            "annotator.catalog.relations_builder.RelationBuilder.finish", lambda _: Stopped()
        )
        score_relations(catalog, [made("first", 61), SPARSE], draws=DRAWS)
    assert (catalog.folder / RELATION_SHARDS).is_dir()
    score_relations(catalog, (*RELATIONS, SPARSE), draws=DRAWS)
    assert tables(catalog.folder) == tables(scored.folder)


@pytest.mark.parametrize("stop", ["relations.parquet", "relation_curves.parquet", "relations.json"])
def test_a_kill_between_the_files_leaves_no_mixture(
    catalog: annotator.Catalog, stop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_relations(catalog, RELATIONS, draws=DRAWS)
    wanted = tables(score_relations(catalog, RELATIONS[:2], seed=2).folder)
    score_relations(catalog, RELATIONS, seed=0)
    original = Path.replace

    def stopping(self: Path, target: Path) -> Path:
        if target == catalog.folder / stop:
            raise Stopped
        return original(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", stopping)
        with pytest.raises(Stopped):
            score_relations(catalog, RELATIONS[:2], draws=DRAWS, seed=2)
    with pytest.raises(NoRelations):
        catalog.relation_scores()
    score_relations(catalog, RELATIONS[:2], draws=DRAWS, seed=2)
    assert tables(catalog.folder) == wanted


def test_kill_9_then_resume(tmp_path: Path) -> None:
    heads = {"num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 8}
    module = tiny.llama(num_hidden_layers=10, hidden_size=64, **heads)
    model = tiny.save(tmp_path / "model", module)
    given = written(tmp_path / "given", FEW)
    whole = annotator.map_model(model, tmp_path / "whole", MapSettings(sources=1, targets=1))
    out = shutil.copytree(whole.folder, tmp_path / "killed")
    score_relations(whole, given)
    command = ["relations", str(out), "--relations", str(given)]
    piped = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL}
    process = subprocess.Popen([SCRIPT, *command], **piped)
    deadline = time.monotonic() + PATIENCE
    shards = out / RELATION_SHARDS / "relations"
    while len(list(shards.glob("L*.parquet"))) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (out / "relations.json").exists()
    assert list(shards.glob("L*.parquet"))
    assert main(command) == 0
    assert tables(out) == tables(whole.folder)

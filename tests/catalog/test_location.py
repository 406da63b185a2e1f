"""A catalog's model is found again, and proved to be that one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import annotator
from annotator.catalog.model_location import recall, remember
from annotator.catalog.read import open_catalog
from annotator.errors import (
    CatalogMismatch,
    ModelNotFound,
)
from annotator.pipeline.open_model import open_model_of
from annotator.pipeline.relations import score_relations
from tests import tiny
from tests.related import DRAWS, RELATIONS


def test_a_model_that_moved_is_found_where_it_is_said_to_be(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = shutil.copytree(tiny_folder, tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    catalog = annotator.map_model("model", "catalog")
    monkeypatch.chdir("/")
    catalog = open_catalog(tmp_path / "catalog")
    found = open_model_of(catalog)
    opened, vocabulary = found.model, found.vocabulary
    assert opened.source.id == "model"
    assert len(vocabulary) == tiny.VOCAB
    moved = model.rename(tmp_path / "elsewhere")
    with pytest.raises(ModelNotFound, match="--model") as caught:
        open_model_of(catalog)
    assert str(tmp_path / "model") in str(caught.value)
    assert open_model_of(catalog, moved).model.source.id == "elsewhere"


def test_another_model_or_tokenizer_is_refused_by_name(
    catalog: annotator.Catalog, tmp_path: Path
) -> None:
    other = tiny.save(tmp_path / "other", tiny.randomised(tiny.llama(), seed=7))
    with pytest.raises(CatalogMismatch) as caught:
        open_model_of(catalog, other)
    assert caught.value.differences.keys() == {"model.id", "model.weight_digest"}
    tokenizer = tiny.tokenizer()
    tokenizer.add_tokens(["another"])
    with pytest.raises(CatalogMismatch) as caught:
        open_model_of(catalog, tokenizer=tokenizer)
    assert "model.tokenizer_digest" in caught.value.differences


def test_a_tokenizer_that_was_named_is_remembered(tiny_folder: Path, tmp_path: Path) -> None:
    tokenizer = tiny.tokenizer()
    tokenizer.add_tokens(["another"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    catalog = annotator.map_model(
        tiny_folder, tmp_path / "catalog", tokenizer=tmp_path / "tokenizer.json"
    )
    assert open_model_of(catalog).vocabulary.one("another")


def test_a_model_in_memory_has_to_be_given_again(tmp_path: Path) -> None:
    module = tiny.llama()
    catalog = annotator.map_model(module, tmp_path / "catalog", tokenizer=tiny.tokenizer())
    assert recall(catalog.folder) == {}
    with pytest.raises(ModelNotFound, match="--model"):
        score_relations(catalog, RELATIONS)
    score_relations(catalog, RELATIONS, model=module, tokenizer=tiny.tokenizer(), draws=DRAWS)
    assert len(catalog.relation_scores()) == 36


def test_a_hub_id_is_remembered_with_its_commit(tmp_path: Path) -> None:
    remember(tmp_path, "someone/tiny", "abc123")
    assert recall(tmp_path) == {"model": "someone/tiny", "revision": "abc123", "tokenizer": None}
    for spoilt in (b"\xff", b"[1]", b'{"model": 5}'):
        (tmp_path / ".model").write_bytes(spoilt)
        assert recall(tmp_path) == {}

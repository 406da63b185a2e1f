"""Relation scores in a catalog: what is computed is there, whole or not at all, and stays."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

import annotator
from annotator.catalog.read import open_catalog
from annotator.catalog.relations_manifest import RelationRun
from annotator.catalog.relations_tables import RELATION_TABLES
from annotator.errors import (
    CatalogBroken,
    CatalogBusy,
    ModelNotFound,
    NoRelations,
    SettingInvalid,
)
from annotator.maps.permutation_null import Null
from annotator.maps.relations import relation_scores
from annotator.maps.settings import MapSettings
from annotator.pipeline.relations import score_relations
from annotator.records import Relation, RelationPairs
from annotator.tokens.load import load_vocabulary
from annotator.tokens.pairs import pairs_of
from annotator.weights.model import open_model
from tests.related import DRAWS, FILES, RELATIONS, SPARSE, WORDS, made, tables


def test_the_tables_hold_what_the_engine_gives(
    scored: annotator.Catalog, tiny_folder: Path
) -> None:
    model = open_model(tiny_folder)
    vocabulary = load_vocabulary(model.source, model.dims.vocab)
    pairs = {one.name: pairs_of(one, vocabulary, 320, None) for one in RELATIONS}
    ids = {name: one.ids for name, one in pairs.items()}
    null = Null({"first": 10, "second": 1, "third": 10}, DRAWS, 0)
    rows = iter(scored.table("relations").to_pylist())
    curves = iter(scored.table("relation_curves").to_pylist())
    for layer in relation_scores(model, ids, MapSettings(), null=null):
        for head in range(4):
            for name, ranks in layer.relations.items():
                row, k = next(rows), pairs[name].k
                assert (row["layer"], row["head"], row["kv_head"]) == (layer.layer, head, head // 2)
                assert (row["relation"], row["k"]) == (name, k)
                assert row["sources"] == len({source for source, _ in ids[name]})
                assert row["phi"] == float(ranks.phi()[head, k - 1])
                assert row["suppression"] == float(ranks.suppression()[head, k - 1])
                assert row["p"] == float(ranks.p[head])
                assert row["suppression_p"] == float(ranks.suppression_p[head])
                for k in range(1, 26):
                    point = next(curves)
                    assert (point["layer"], point["head"]) == (layer.layer, head)
                    assert (point["relation"], point["k"]) == (name, k)
                    assert point["phi"] == float(ranks.phi()[head, k - 1])
                    assert point["suppression"] == float(ranks.suppression()[head, k - 1])
    assert next(rows, None) is next(curves, None) is None


def test_q_is_over_all_heads_valid_relations_and_both_signs(scored: annotator.Catalog) -> None:
    frame = scored.frame("relations")
    p = [*frame["p"], *frame["suppression_p"]]
    # Benjamini and Hochberg: the least of m p_j / j over all p_j that are no smaller.
    scaled = [(one, one * len(p) / at) for at, one in enumerate(sorted(p), start=1)]
    q = [min(value for other, value in scaled if other >= one) for one in p]
    assert list(frame["q"]) == pytest.approx(q[: len(frame)])
    assert list(frame["suppression_q"]) == pytest.approx(q[len(frame) :])
    assert (frame["flagged"] == (frame["phi"] > 0.15)).all()
    assert (frame["implements"] == ((frame["phi"] > 0.15) & (frame["q"] <= 0.05))).all()
    suppresses = (frame["suppression"] > 0.15) & (frame["suppression_q"] <= 0.05)
    assert (frame["suppresses"] == suppresses).all()


def test_the_records_are_the_rows(scored: annotator.Catalog) -> None:
    scores = scored.relation_scores()
    rows = scored.table("relations").to_pylist()
    assert len(scores) == len(rows) == 12 * 3
    for score, row in zip(scores, rows, strict=True):
        assert (score.head.layer, score.head.head) == (row["layer"], row["head"])
        for name in row.keys() - {"layer", "head", "kv_head"}:
            assert getattr(score, name) == row[name]


def test_every_relation_is_kept_with_its_ids_valid_or_not(
    scored: annotator.Catalog, tiny_folder: Path
) -> None:
    vocabulary = load_vocabulary(open_model(tiny_folder).source, 320)
    expected = [pairs_of(one, vocabulary, 320, None) for one in (*RELATIONS, SPARSE)]
    assert list(scored.relation_pairs()) == expected
    assert [one.valid for one in expected] == [True, True, True, False]
    assert expected[-1].dropped == {"target is several tokens": len(WORDS)}
    assert set(scored.frame("relations")["relation"]) == {"first", "second", "third"}
    settings = json.loads((scored.folder / "relations.json").read_text())["settings"]
    assert settings == {"draws": DRAWS, "seed": 0, "k_max": 25, "device": "cpu"}


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@given(
    st.lists(st.tuples(text, text), max_size=4),
    st.lists(st.tuples(st.integers(0, 2**31), st.integers(0, 2**31)), max_size=4),
    st.dictionaries(text, st.integers(1), max_size=2),
    st.tuples(text, text, text, st.one_of(st.none(), text), st.booleans()),
)
def test_a_run_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    pairs: list[tuple[str, str]],
    ids: list[tuple[int, int]],
    dropped: dict[str, int],
    said: tuple[str, str, str, str | None, bool],
) -> None:
    name, category, description, prompt, published = said
    relation = Relation(name, tuple(pairs), category, description, 1, prompt, published)
    settings = {"draws": 7, "seed": 3, "k_max": 25, "device": "cpu"}
    counted = RelationPairs(relation, 3, tuple(ids), dropped)
    run = RelationRun(settings, {"torch": "2"}, (counted, counted))
    folder = tmp_path_factory.mktemp("run")
    run.write(folder)
    assert RelationRun.read(folder) == run


def test_the_same_again_is_done_already_and_needs_no_model(
    tiny_folder: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(tiny_folder, tmp_path / "model")
    catalog = annotator.map_model(model, tmp_path / "catalog")
    score_relations(catalog, RELATIONS, draws=DRAWS, seed=5)
    shutil.rmtree(model)
    before = {path: path.stat().st_mtime_ns for path in catalog.folder.iterdir()}
    score_relations(catalog, RELATIONS, draws=DRAWS, seed=5)
    score_relations(catalog)
    assert {path: path.stat().st_mtime_ns for path in catalog.folder.iterdir()} == before
    with pytest.raises(ModelNotFound, match="--model"):
        score_relations(catalog, draws=DRAWS + 1)
    with pytest.raises(ModelNotFound, match="--model"):
        score_relations(catalog, RELATIONS[:2])
    assert catalog.relation_pairs()[2].relation == RELATIONS[2], "what was there is still there"


def test_other_relations_or_settings_replace_what_is_there_and_say_so(
    catalog: annotator.Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    score_relations(catalog, RELATIONS, draws=DRAWS)
    assert "Replaced" not in capsys.readouterr().err
    first = tables(catalog.folder)
    score_relations(catalog, seed=1)
    assert "Replaced the scores of other relations or settings" in capsys.readouterr().err
    assert [one.relation for one in catalog.relation_pairs()] == list(RELATIONS)
    assert RelationRun.read(catalog.folder).settings["draws"] == DRAWS, "what is not said stays"
    assert tables(catalog.folder).keys() == first.keys()
    assert tables(catalog.folder)["relations.parquet"] != first["relations.parquet"]
    score_relations(catalog, RELATIONS[:1])
    assert set(catalog.frame("relations")["relation"]) == {"first"}
    score_relations(catalog, RELATIONS, seed=0)
    assert tables(catalog.folder) == first


def test_relations_in_any_number_or_none(catalog: annotator.Catalog) -> None:
    score_relations(catalog, [SPARSE])
    assert catalog.relation_scores() == []
    assert [one.valid for one in catalog.relation_pairs()] == [False]
    assert len(catalog.frame("relation_curves")) == 0
    for wrong in ([], [made("same"), made("same", seed=1)], [made("../../out")]):
        with pytest.raises(SettingInvalid, match="relations"):
            score_relations(catalog, wrong)
    with pytest.raises(SettingInvalid, match="draws = 0"):
        score_relations(catalog, [SPARSE], draws=0)
    with pytest.raises(SettingInvalid, match="seed = -1"):
        score_relations(catalog, RELATIONS, seed=-1)


def test_a_catalog_without_scores_has_no_relations(catalog: annotator.Catalog) -> None:
    for ask in (
        catalog.relation_scores,
        catalog.relation_pairs,
        lambda: catalog.table("relations"),
        lambda: catalog.frame("relation_curves"),
    ):
        with pytest.raises(NoRelations, match="annotator relations CATALOG"):
            ask()


def test_export_writes_the_tables_that_are_there(
    scored: annotator.Catalog, catalog: annotator.Catalog, tmp_path: Path
) -> None:
    without = {path.stem for path in annotator.export(catalog, "csv", tmp_path / "without")}
    files = {path.stem: path for path in annotator.export(scored, "csv", tmp_path / "with")}
    assert files.keys() - without == set(RELATION_TABLES)
    with files["relations"].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, there in zip(rows, scored.table("relations").to_pylist(), strict=True):
        assert row["relation"] == there["relation"]
        assert float(row["phi"]) == there["phi"]
        assert row["implements"] == str(there["implements"]).lower()
    for to in ("jsonl", "parquet"):
        assert len(annotator.export(scored, to, tmp_path / to, progress=False)) == len(files)


def test_only_one_process_scores(catalog: annotator.Catalog) -> None:
    lock = FileLock(catalog.folder / ".lock")
    with lock, pytest.raises(CatalogBusy):
        score_relations(catalog, RELATIONS, draws=DRAWS)
    score_relations(catalog, RELATIONS, draws=DRAWS)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("harm", ["cut", "gone", "other"])
def test_a_broken_file_is_named_and_its_remedy_works(
    name: str, harm: str, scored: annotator.Catalog, tmp_path: Path
) -> None:
    folder = shutil.copytree(scored.folder, tmp_path / "catalog")
    catalog, file = open_catalog(folder), folder / name
    content = file.read_bytes()
    if harm == "gone":
        file.unlink()
    else:
        file.write_bytes(content[: len(content) // 2] if harm == "cut" else b"{}")
    with pytest.raises((CatalogBroken, NoRelations)) as caught:
        [catalog.table(table) for table in RELATION_TABLES]
    file.unlink(missing_ok=True)
    assert "annotator relations" in str(caught.value)
    again = score_relations(catalog, (*RELATIONS, SPARSE), draws=DRAWS)
    assert tables(again.folder) == tables(scored.folder)


def test_a_table_that_lacks_rows_is_broken(scored: annotator.Catalog, tmp_path: Path) -> None:
    catalog = open_catalog(shutil.copytree(scored.folder, tmp_path / "catalog"))
    for name in RELATION_TABLES:
        path = catalog.folder / f"{name}.parquet"
        pq.write_table(pq.read_table(path).slice(1), path)
        with pytest.raises(CatalogBroken, match="rows, not"):
            catalog.table(name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_catalog_decides_vocabulary_source_form_and_dtype(
    tiny_folder: Path, tmp_path: Path, dtype: Any
) -> None:
    settings = MapSettings(vocabulary="usable", source_form="embedding", dtype=dtype)
    catalog = annotator.map_model(tiny_folder, tmp_path / "catalog", settings)
    score_relations(catalog, RELATIONS, draws=DRAWS)
    model = open_model(tiny_folder, dtype=dtype)
    usable = load_vocabulary(model.source, 320).usable()
    ids = {one.name: one.ids for one in catalog.relation_pairs()}
    found = relation_scores(model, ids, settings, usable=usable)
    expected = [
        float(ranks.phi()[head, (0 if name == "second" else 9)])
        for layer in found
        for head in range(4)
        for name, ranks in layer.relations.items()
    ]
    assert [score.phi for score in catalog.relation_scores()] == expected

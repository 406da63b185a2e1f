"""`annotator relations` through the command line: what is printed is what is in the tables."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import annotator
from annotator.catalog.read import Catalog, open_catalog
from annotator.cli.heatmap import BLOCKS, NO_SCORE, block, heads_in_a_cell, heatmap
from annotator.records import HeadId, Relation, RelationScore
from tests import tiny
from tests.commands import error_of, text_of
from tests.related import WORDS, made, written

Capture = pytest.CaptureFixture[str]
GIVEN = (made("first", 60, description="A word to some other."), made("second", 40, k=1))
SPARSE = Relation("sparse", tuple((word, "nothing here") for word in WORDS))


@pytest.fixture(scope="module")
def given_relations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    said = {"first": {"description": "A word to some other."}, "second": {"k": 1}}
    return written(tmp_path_factory.mktemp("given") / "mine", (*GIVEN, SPARSE), said)


@pytest.fixture(scope="module")
def folder(
    tiny_folder: Path, given_relations: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    catalog = annotator.map_model(tiny_folder, tmp_path_factory.mktemp("cli") / "tiny")
    return annotator.score_relations(catalog, given_relations).folder


@pytest.fixture
def catalog(folder: Path) -> Catalog:
    return open_catalog(folder)


def best(catalog: Catalog, relation: str, of: str = "phi") -> list[RelationScore]:
    scores = [score for score in catalog.relation_scores() if score.relation == relation]
    return sorted(scores, key=lambda score: (-getattr(score, of), score.head))


def test_scores_are_made_once_and_then_shown(
    tiny_folder: Path, given_relations: Path, folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    model = shutil.copytree(tiny_folder, tmp_path / "tiny-llama")
    out = tmp_path / "catalog"
    text_of(capsys, "map", model, "--out", out)
    made_now = text_of(capsys, "relations", out, "--relations", given_relations)
    shutil.rmtree(model)
    assert text_of(capsys, "relations", out, "--relations", given_relations) == made_now
    assert text_of(capsys, "relations", out) == made_now
    for name in ("relations.json", "relations.parquet", "relation_curves.parquet"):
        assert (out / name).read_bytes() == (folder / name).read_bytes()
    assert "Say where it is: --model" in error_of(capsys, "relations", out, "--seed", "1")


@pytest.mark.parametrize("width", ["80", "100", "140"])
def test_each_relation_has_its_best_heads_and_what_is_not_valid_a_reason(
    catalog: Catalog, width: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    text = text_of(capsys, "relations", catalog.folder)
    assert all(len(line) <= int(width) for line in text.splitlines())
    assert text.startswith("2 of 3 relations are valid for tiny-llama")
    promoted, suppressed = text.split("Promoted\n")[1].split("Suppressed\n")
    for side, of, q, verdict in (
        (promoted, "phi", "q", "implements"),
        (suppressed, "suppression", "suppression_q", "suppresses"),
    ):
        for one in GIVEN:
            line = next(line for line in side.splitlines() if line.startswith(one.name))
            first, second, third, *_ = scores = best(catalog, one.name, of)
            told = sum(getattr(score, verdict) for score in scores)
            flagged = sum(getattr(score, of) > 0.15 for score in scores)
            cells = line.split()
            assert cells[1:3] == [str(len(one.pairs)), f"{told}/{flagged}"]
            if getattr(first, of) > 0:
                number, chance = f"{getattr(first, of):.2f}", f"{getattr(first, q):.1g}"
                assert cells[3:6] == [str(first.head), number, chance]
            then = [
                cell
                for score in (second, third)
                if getattr(score, of) > 0
                for cell in (str(score.head), f"{getattr(score, of):.2f}")
            ]
            assert cells[6:] == then
    assert re.search(r"^sparse +0 +14 +target is several tokens: 14$", text, re.MULTILINE)


def test_one_relation_is_a_map_of_all_heads(
    catalog: Catalog, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = text_of(capsys, "relations", catalog.folder, "--relation", "first")
    assert text.startswith("first in tiny-llama\nA word to some other.\n60 of 60 pairs count, of ")
    rows = re.findall(rf"^L(\d) +((?:[{NO_SCORE}{BLOCKS}] ){{4}}) +L\1 +(\S \S \S \S)", text, re.M)
    assert len(rows) == 3
    scores = {score.head: score for score in best(catalog, "first")}
    for layer, up, down in rows:
        for head in range(4):
            score = scores[HeadId(int(layer), head)]
            assert up.split()[head] == block(score.phi)
            assert down.split()[head] == block(score.suppression)
    listed = re.findall(r"^(L\d+H\d+) +(\S+) +(\S+) +(L\d+H\d+|none) ", text, re.MULTILINE)
    expected = [score for score in best(catalog, "first") if score.phi][:10]
    assert [row[:3] for row in listed] == [
        (str(score.head), f"{score.phi:.2f}", f"{score.q:.1g}") for score in expected
    ]
    down = [score for score in best(catalog, "first", "suppression") if score.suppression]
    assert [row[3] for row in listed if row[3] != "none"] == [
        str(score.head) for score in down[: len(listed)]
    ]


def test_a_relation_that_is_not_valid_says_why(catalog: Catalog, capsys: Capture) -> None:
    text = text_of(capsys, "relations", catalog.folder, "--relation", "sparse")
    assert "0 of 14 pairs count" in text
    assert "target is several tokens: 14" in " ".join(text.split())
    assert "It is not valid here: that takes 30 pairs." in text


def test_a_relation_that_is_not_there_is_refused(catalog: Catalog, capsys: Capture) -> None:
    message = error_of(capsys, "relations", catalog.folder, "--relation", "firts")
    assert "no relation 'firts'" in message
    assert "first, second, sparse" in message


def test_what_cannot_be_shown_or_drawn_is_refused_before_anything_is_scored(
    tiny_folder: Path,
    given_relations: Path,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = annotator.map_model(tiny_folder, tmp_path / "catalog").folder
    (tmp_path / "file").touch()
    given = ("relations", out, "--relations", given_relations)
    before = sorted(out.iterdir())
    assert "no relation 'firts'" in error_of(capsys, *given, "--relation", "firts")
    assert "cannot write" in error_of(capsys, *given, "--figures", tmp_path / "file")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    message = error_of(capsys, *given, "--figures", tmp_path / "figures")
    assert "pip install matplotlib" in message
    assert sorted(out.iterdir()) == before


def test_too_few_draws_are_refused(catalog: Catalog, capsys: Capture) -> None:
    arguments = ["relations", str(catalog.folder), "--draws", "19999"]
    assert annotator.cli.main(arguments) == 2
    assert "19999 is not in the range x>=20000" in capsys.readouterr().err


def test_relations_that_cannot_be_used_are_refused_before_anything(
    tmp_path: Path, catalog: Catalog, capsys: Capture
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('[["a", "b"],\n["c"]]')
    before = {path: path.read_bytes() for path in catalog.folder.iterdir()}
    message = error_of(capsys, "relations", catalog.folder, "--relations", bad)
    assert f"{bad} cannot be used as relations" in message
    assert "bad.json, line 2: ['c'] is not a pair of two texts" in message
    assert {path: path.read_bytes() for path in catalog.folder.iterdir()} == before


def test_another_model_is_refused(tmp_path: Path, catalog: Catalog, capsys: Capture) -> None:
    other = tiny.save(tmp_path / "other", tiny.randomised(tiny.llama(), seed=7))
    message = error_of(capsys, "relations", catalog.folder, "--model", other, "--seed", 1)
    assert "model.weight_digest" in message


def test_shown_scores_of_other_relations_are_called_so(catalog: Catalog, capsys: Capture) -> None:
    assert annotator.cli.main(["relations", str(catalog.folder)]) == 0
    assert "other relations than those that come with annotator" in capsys.readouterr().err


def test_no_catalog_is_no_traceback(tmp_path: Path, capsys: Capture) -> None:
    assert "no finished catalog" in error_of(capsys, "relations", tmp_path)


def test_ours_on_a_tiny_tokenizer_are_all_invalid_and_named(
    tiny_folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    annotator.map_model(tiny_folder, tmp_path / "catalog")
    text = text_of(capsys, "relations", tmp_path / "catalog")
    assert text.startswith("0 of 26 relations are valid")
    listed = {line.split()[0] for line in text.splitlines() if line.strip()}
    assert {one.name for one in annotator.load_relations()} <= listed
    assert "Promoted" not in text


def test_figures_are_drawn_where_they_are_asked_for(
    catalog: Catalog, tmp_path: Path, capsys: Capture
) -> None:
    pytest.importorskip("matplotlib")
    figures = tmp_path / "figures"
    text = text_of(capsys, "relations", catalog.folder, "--figures", figures)
    files = [path for path in figures.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".png", ".svg"}
    assert f"{len(files)} files in {figures}" in text


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_block_is_the_higher_the_larger_the_share(one: float, other: float) -> None:
    order = NO_SCORE + BLOCKS
    assert (order.index(block(one)) <= order.index(block(other))) or one > other
    assert (block(one) == NO_SCORE) is (one == 0)
    assert block(1.0) == BLOCKS[-1]


@given(st.integers(1, 4), st.integers(1, 150), st.integers(20, 140), st.integers(0))
def test_a_map_fits_the_terminal_and_shows_every_head(
    n_layers: int, n_heads: int, width: int, seed: int
) -> None:
    draw = Random(seed)
    heads = [HeadId(layer, head) for layer in range(n_layers) for head in range(n_heads)]
    shares = {head: max(0.0, draw.uniform(-0.5, 1)) for head in heads}
    cells = {head: (share, "") for head, share in shares.items()}
    lines = heatmap(cells, n_layers, n_heads, width).plain.split("\n")
    assert len(lines) == 1 + n_layers
    assert all(len(line) <= width for line in lines)
    size = heads_in_a_cell(n_heads, width)
    assert (size == 1) is (n_heads + 5 <= width)
    for layer, line in enumerate(lines[1:]):
        assert line.startswith(f"L{layer} ")
        shown = line[5:].replace(" ", "")
        assert shown == "".join(
            block(max(shares[HeadId(layer, h)] for h in range(first, min(first + size, n_heads))))
            for first in range(0, n_heads, size)
        )


def test_heads_are_numbered_above_their_cells() -> None:
    cells = {HeadId(0, head): (head / 12, "") for head in range(12)}
    wide = heatmap(cells, 1, 12, 80).plain.split("\n")
    tight = heatmap(cells, 1, 12, 20).plain.split("\n")
    assert wide[0] == "    H0         5         10"
    assert tight[0] == "    H0    5    10"
    cells[HeadId(0, 5)] = (0.0, "")
    for width, numbers in ((80, wide[0]), (20, tight[0])):
        row = heatmap(cells, 1, 12, width).plain.split("\n")[1]
        assert row.rindex(NO_SCORE) == numbers.index("5")

"""Names that some disk takes for one: of relations, raters, describers, in all that is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

import annotator
from annotator.catalog.descriptions import LEDGER
from annotator.catalog.experiment_shards import schema_of, shards_of
from annotator.catalog.read import open_catalog
from annotator.describe.outcome import Described, fields_of
from annotator.ledger.attempt_results import AttemptResult
from annotator.ledger.judgments import Judgments
from annotator.ledger.ledger import Ledger
from annotator.paths import file_name
from annotator.records import HeadId, Relation
from annotator.tokens.relation_files import name_fits
from annotator.validate.registry import experiment
from annotator.views.export.registry import FORMATS
from annotator.views.figures import relations
from tests.judge.made import items_of, judgment
from tests.related import made

ALIKE = ("word", "Word", "WORD", "stra\u00dfe", "strasse", "\u00e9t\u00e9", "e\u0301te\u0301")
"""Of each, some disk takes two or more for the same: by case, or by how Unicode spells them."""


def key(name: str) -> str:
    """The same for names that some disk takes for one."""
    return normalize("NFC", normalize("NFC", name).casefold())


def require_distinct(names: Iterable[str]) -> None:
    twice = {name: n for name, n in Counter(map(key, names)).items() if n > 1}
    assert not twice


@pytest.fixture(scope="module")
def alike(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog whose relations, raters and describers have such names."""
    folder = tmp_path_factory.mktemp("alike") / "catalog"
    catalog = annotator.map_model(tiny_folder, folder, progress=False)
    related = [Relation(name, made("word").pairs) for name in ALIKE]
    annotator.score_relations(catalog, related, draws=20, progress=False)
    with Ledger(folder / LEDGER) as ledger:
        for llm in (f"openai:{name}" for name in ALIKE):
            asked = (HeadId(0, 0), sha256(llm.encode()).hexdigest(), {"template": "abc"})
            ledger.add(llm, [asked])
            fields = fields_of(Described("Why.", "words", "words", "general"))
            ledger.record(ledger.begin(asked[1], {}), AttemptResult("described", fields))
    said = open_catalog(folder).descriptions()
    items = items_of(said, {one.head: open_catalog(folder).head(one.head) for one in said})
    with Ledger(folder / LEDGER) as ledger:
        judgments = Judgments(ledger)
        judgments.add_items(items)
        judgments.record(
            (judgment(item, rater, True), {}) for item in items for rater in ("ada", "Ada")
        )
    return folder


@pytest.mark.parametrize("to", FORMATS)
def test_every_format(alike: Path, to: str, tmp_path: Path) -> None:
    files = annotator.export(alike, to, tmp_path / to, progress=False)
    require_distinct(str(path) for path in tmp_path.rglob("*"))
    assert len(files) == len({*files}) == sum(path.is_file() for path in tmp_path.rglob("*"))


def test_a_study_by_files(alike: Path, tmp_path: Path) -> None:
    files = annotator.export_study(alike, ALIKE, tmp_path, llm="openai:word")
    assert len(files) == len(ALIKE) + 1
    require_distinct(path.name for path in tmp_path.iterdir())
    assert files[1].name == "tasks-word.json"
    alone = annotator.export_study(alike, ALIKE[1:2], tmp_path / "alone", llm="openai:word")
    assert alone[1].name == files[2].name, "whoever else there is"


def test_the_figures_of_relations(
    alike: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relations, "drawn", lambda path, *_: [path])  # drawing them takes seconds
    catalog = open_catalog(alike)
    drawing = (catalog.relation_scores(), catalog.manifest.dims, tmp_path, catalog.relation_pairs())
    files = [path for (path,) in relations.draw(*drawing)]
    assert len(files) == 2 + len(ALIKE)
    require_distinct(map(str, files))
    assert tmp_path / "relations" / "word" in files


def test_what_experiments_keep(tmp_path: Path) -> None:
    shards = shards_of(tmp_path, experiment("correlate"))
    rows = schema_of(experiment("correlate")).empty_table()
    for name in ALIKE:
        shards.write(name, {"correlate": rows}, {"of": name})
    require_distinct(path.name for path in (tmp_path / "validation/correlate").iterdir())
    assert all(shards.has(name, {"of": name}) for name in ALIKE)
    assert sorted(one["of"] for one in shards.settings("correlate")) == sorted(ALIKE)


names = st.text(max_size=30) | st.sampled_from([*ALIKE, "", ".", "..", "a/b", "nul\0", "word-"])


@given(st.lists(names, unique=True))
def test_no_two_names_are_one(found: list[str]) -> None:
    files = [file_name(name) for name in found]
    require_distinct(files)
    assert all(name_fits(f"x{name}x") for name in files)


@given(names)
def test_a_name_that_looks_marked_is_marked_too(name: str) -> None:
    marked = file_name(f"{name}A")
    assert file_name(marked) != marked


@pytest.mark.parametrize("name", ["word", "word_2", "a.b", "my relation", "\u00e9t\u00e9", "日本"])
def test_a_name_in_small_letters_stays(name: str) -> None:
    assert file_name(name) == name

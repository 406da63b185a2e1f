"""The Python API: which names there are, that each is there, and what many rows give."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import annotator
from annotator.records import HeadId, Hit, Rows

NAMES = [
    *("AnnotatorError", "Catalog", "Description", "HeadId", "HeadMap", "HeadSummary"),
    *("Hit", "Item", "Judgment", "MapSettings", "Relation", "RelationPairs"),
    *("RelationScore", "RowView", "SalientMapping", "Signatures", "Target", "Token"),
    *("ablate", "backup_ledger", "check", "check_ledger", "compare", "correlate"),
    *("describe_heads", "export", "export_study", "find", "from_module"),
    *("from_state_dict", "import_answers", "load_relations", "map_model", "multi_token"),
    *("open_catalog", "plan_study", "publish", "pull_study", "push_study", "quickstart"),
    *("row", "score_relations", "study_report", "study_status"),
]


def test_these_are_its_names_and_no_others() -> None:
    assert annotator.__all__ == NAMES
    assert dir(annotator) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_is_there_and_says_what_it_is(name: str) -> None:
    assert inspect.getdoc(getattr(annotator, name))


def test_what_there_is_not_is_named() -> None:
    with pytest.raises(AttributeError, match="'annotator' has no attribute 'maps_model'"):
        annotator.__getattr__("maps_model")


def test_importing_it_loads_nothing() -> None:
    code = "import annotator, sys; print(*(n for n in sys.modules if n.startswith('annotator')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["annotator"]


def test_a_function_of_a_catalog_takes_it_or_its_directory() -> None:
    for name in NAMES:
        of = getattr(annotator, name)
        if inspect.isfunction(of) and "catalog" in (given := inspect.signature(of).parameters):
            kinds = str(given["catalog"].annotation).split(" | ")
            assert kinds == ["Catalog", "str", "Path"], name
            needed = [p.name for p in given.values() if p.default is p.empty]
            assert needed[:1] == ["catalog"], name
            assert set(needed) <= {"catalog", "llm", "raters", "file", "to", "options", "how"}, name


def test_a_catalog_will_do_where_its_directory_does(tiny_folder: Path, tmp_path: Path) -> None:
    catalog = annotator.map_model(tiny_folder, tmp_path / "catalog", progress=False)
    for given in (catalog, catalog.folder, str(catalog.folder)):
        found = annotator.describe_heads(given, "rules", heads=["L0H0"], progress=False)
        assert (found.heads, found.unanswered) == (1, 0)
        items = {item.head for item in annotator.plan_study(given).items}
        assert items == {HeadId(0, 0)}
        files = annotator.export_study(given, ["ana"], tmp_path / "study")
        assert [path.name for path in files] == ["screen.xml", "tasks-ana.json"]
        with pytest.raises(annotator.AnnotatorError, match="no judgment has come back yet"):
            annotator.study_report(given)
        with pytest.raises(annotator.AnnotatorError, match="it is not running"):
            annotator.study_status(given)


def test_many_rows_are_a_frame_and_a_table() -> None:
    hits = Rows([Hit(HeadId(1, 2), 0, 3.5), Hit(HeadId(0, 1), 4, float("nan"))], Hit)
    frame = hits.frame()
    assert list(frame.columns) == ["layer", "head", "rank", "logit"]
    assert frame.iloc[0].tolist() == [1, 2, 0, 3.5]
    assert hits[:1].frame().equals(frame[:1])
    shown = hits._repr_html_()
    assert "2 rows" in shown
    assert "<td style='text-align:left'>3.5</td>" in shown
    none = hits[2:]
    assert none._repr_html_().count("<tr>") == 1
    assert list(none.frame().columns) == list(frame.columns)
    many = Rows([hits[0]] * 50, Hit)._repr_html_()
    assert "50 rows; the first 20" in many
    assert many.count("<tr>") == 21

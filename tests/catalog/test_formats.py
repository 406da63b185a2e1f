"""A manifest of an older format is brought up in order, one of a newer is refused by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import annotator
from annotator.catalog import manifest
from annotator.catalog import relations_manifest as relation_run
from annotator.catalog.manifest_format import ManifestFormat
from annotator.errors import CatalogBroken
from tests.before.files import HERE
from tests.commands import error_of, text_of

STEPS = {
    2: lambda one: {**one, "names": [one["name"]]},
    3: lambda one: {key: value for key, value in one.items() if key != "name"},
}
MADE_UP = ManifestFormat(4, "Run: annotator again", STEPS)


def written(path: Path, **content: Any) -> Path:
    path.write_text(json.dumps(content), "utf-8")
    return path


@pytest.mark.parametrize(
    "content", [{"format": 2, "name": "a"}, {"format": 3, "name": "a", "names": ["a"]}]
)
def test_an_older_one_is_brought_up_in_order(tmp_path: Path, content: dict[str, Any]) -> None:
    path = written(tmp_path / "made.json", **content)
    before = path.read_bytes()
    assert MADE_UP.read(path) == {"format": 4, "names": ["a"]}
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"format": 1}, "it is of format 1, which is read no more). Run: annotator again."),
        ({"format": 5}, "it is of format 5, and this annotator reads those up to 4). Use the"),
        ({"format": "4"}, "it names no format). Run: annotator again."),
        ({"format": True}, "it names no format"),
        ({}, "it names no format"),
    ],
)
def test_others_are_refused_by_name(tmp_path: Path, content: dict[str, Any], said: str) -> None:
    with pytest.raises(CatalogBroken) as caught:
        MADE_UP.read(written(tmp_path / "made.json", **content))
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["[]", "{", "", "null"])
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "made.json").write_text(text)
    with pytest.raises(CatalogBroken, match="Run: annotator again"):
        MADE_UP.read(tmp_path / "made.json")


def test_a_catalog_of_a_later_annotator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = shutil.copytree(HERE / "catalog", tmp_path / "catalog")
    content = json.loads((catalog / "catalog.json").read_text("utf-8"))
    written(catalog / "catalog.json", **content | {"format": 2})
    said = error_of(capsys, "heads", catalog)
    assert "it is of format 2, and this annotator reads those up to 1" in said
    upgraded = ManifestFormat(3, "", {1: dict, 2: dict})
    monkeypatch.setattr(manifest, "MANIFEST_FORMAT", upgraded)
    assert text_of(capsys, "heads", catalog)


@pytest.mark.parametrize(
    ("number", "said"),
    [(9, "it is of format 9"), (0, "Delete that file and run the same annotator relations again")],
)
def test_relations_of_another_format(
    scored: annotator.Catalog, tmp_path: Path, number: int, said: str
) -> None:
    content = json.loads((scored.folder / relation_run.RELATIONS_FILE).read_text("utf-8"))
    written(tmp_path / relation_run.RELATIONS_FILE, **content | {"format": number})
    with pytest.raises(CatalogBroken, match=said):
        relation_run.RelationRun.read(tmp_path)

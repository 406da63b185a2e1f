"""JSON from outside: whatever is wrong with a file, there is one error, and it says what."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import StrictInt

from annotator.catalog.manifest import MANIFEST_FILE, Manifest
from annotator.catalog.model_location import LOCATION_FILE, recall
from annotator.catalog.relations_manifest import RELATIONS_FILE, RelationRun
from annotator.errors import CatalogBroken, CheckpointBroken, RelationsInvalid, ServerUnusable
from annotator.json_file import JsonInvalid, read_json
from annotator.label_studio.credentials import CREDENTIALS_FILE, read_credentials
from annotator.tokens.relation_files import load_relations
from annotator.weights.open_source import open_source

DEEP = b"[" * 200_000
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.lists(v)
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("json") / "one.json"


@given(st.binary() | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_json_or_one_error(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    try:
        wanted = json.loads(content.decode("utf-8-sig"))
    except ValueError:
        with pytest.raises(JsonInvalid, match=r"not (JSON|UTF-8)"):
            read_json(file)
    else:
        assert read_json(file) == wanted or wanted != wanted


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (DEEP, "it is nested beyond all bounds"),
        (b'{"a": 1,\n"b" 2}', "line 2: it is not JSON"),
        (b'"a\n\xff"', "line 2: it is not UTF-8"),
        (b'{"a": "1"}', "^a: it should be a valid integer$"),
        (b'{"a": "1", "b": 2, "c": []}', "^a: it should be a valid integer; c: it should be a"),
        (b"[1]", "^it is not a JSON object$"),
    ],
)
def test_it_says_what_is_wrong(file: Path, content: bytes, said: str) -> None:
    file.write_bytes(content)
    with pytest.raises(JsonInvalid, match=said):
        read_json(file, dict[str, StrictInt])


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(JsonInvalid, match="No such file"):
        read_json(tmp_path / "absent.json")
    with pytest.raises(JsonInvalid, match="Is a directory"):
        read_json(tmp_path)


READERS: dict[str, tuple[Callable[[Path], Any], type[Exception]]] = {
    MANIFEST_FILE: (Manifest.read, CatalogBroken),
    RELATIONS_FILE: (RelationRun.read, CatalogBroken),
    CREDENTIALS_FILE: (read_credentials, ServerUnusable),
    "config.json": (lambda folder: open_source(folder), CheckpointBroken),
    "mine.json": (lambda folder: load_relations(folder / "mine.json"), RelationsInvalid),
}


@pytest.mark.parametrize("content", [DEEP, b"", b"\xff", b"7"])
@pytest.mark.parametrize("name", READERS)
def test_every_reader_gives_its_one_error(tmp_path: Path, name: str, content: bytes) -> None:
    read, error = READERS[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error):
        read(tmp_path)


@pytest.mark.parametrize("content", [DEEP, b"", b"[]", b'{"model": 7}'])
def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / LOCATION_FILE).write_bytes(content)
    assert recall(tmp_path) == {}

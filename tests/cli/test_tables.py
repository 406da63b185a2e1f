"""Exports hold the catalog's rows, `--suppress` the other side, and tables fit the terminal."""

from __future__ import annotations

import csv
import json
import struct
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.commands import files_of, mapped, text_of

Capture = pytest.CaptureFixture[str]
TABLES = {"heads": "signatures", "mappings": "maps"}
"""What is exported of a catalog that was only mapped, and of which of its tables it is."""


@pytest.fixture(scope="module")
def catalog(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog with both sides, of more rows than a default one, so that every byte is met."""
    out = tmp_path_factory.mktemp("catalogs") / "tiny"
    mapped(tiny_folder, out, "--suppress", "--sources", "320", "--targets", "4")
    return out


@pytest.fixture(scope="module")
def both(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog with both sides, of the default size."""
    out = tmp_path_factory.mktemp("catalogs") / "both"
    mapped(tiny_folder, out, "--suppress")
    return out


def stored(catalog: Path, name: str) -> pa.Table:
    return pq.read_table(catalog / f"{TABLES.get(name, name)}.parquet")


def own(name: str, catalog: Path, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The exported rows, without the columns that the catalog's own table does not have."""
    names = stored(catalog, name).schema.names
    return [{column: row[column] for column in names} for row in rows]


def exported(capsys: Capture, catalog: Path, to: str, out: Path) -> dict[str, Path]:
    printed = text_of(capsys, "export", catalog, "--to", to, "--out", out).splitlines()
    assert printed == [str(out / f"{name}.{to}") for name in TABLES]
    assert files_of(out).keys() == {f"{name}.{to}" for name in TABLES}
    return {name: out / f"{name}.{to}" for name in TABLES}


def test_the_tables_hold_what_could_break_a_format(catalog: Path) -> None:
    sources = set(stored(catalog, "maps")["source"].to_pylist())
    assert {",", '"', "'", "\\\\", "\\n", "␣the", "⟦<|end|>⟧"} <= sources


def test_jsonl_holds_the_same_rows(catalog: Path, tmp_path: Path, capsys: Capture) -> None:
    for name, path in exported(capsys, catalog, "jsonl", tmp_path / "out").items():
        with path.open(encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        assert own(name, catalog, rows) == stored(catalog, name).to_pylist()


def as_single(text: str) -> float:
    """A text as the float32 nearest to it."""
    return struct.unpack("f", struct.pack("f", float(text)))[0]


def from_text(text: str, type: pa.DataType) -> Any:
    if pa.types.is_floating(type):
        return as_single(text) if text else None
    return int(text) if pa.types.is_integer(type) else text.removeprefix("'")


def test_csv_holds_the_same_rows(catalog: Path, tmp_path: Path, capsys: Capture) -> None:
    for name, path in exported(capsys, catalog, "csv", tmp_path / "out").items():
        table = stored(catalog, name)
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        types = {field.name: field.type for field in table.schema}
        read = [{key: from_text(row[key], types[key]) for key in types} for row in rows]
        assert read == table.to_pylist()
        assert set(rows[0]) > set(table.schema.names)


def test_parquet_holds_the_same_rows(catalog: Path, tmp_path: Path, capsys: Capture) -> None:
    for name, path in exported(capsys, catalog, "parquet", tmp_path / "out").items():
        table = stored(catalog, name)
        assert pq.read_table(path).select(table.schema.names).equals(table)


def test_without_out_the_files_go_into_the_catalog_and_do_not_disturb_it(
    tiny_folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    catalog = tmp_path / "catalog"
    before = mapped(tiny_folder, catalog)
    text_of(capsys, "export", catalog, "--to", "csv")
    text_of(capsys, "export", catalog, "--to", "csv")
    added = files_of(catalog).keys() - before.keys()
    assert added == {f"export/csv/{name}.csv" for name in TABLES}
    mapped(tiny_folder, catalog)
    assert text_of(capsys, "show", catalog, "L0H0")


def test_suppress_fills_the_bottom_side(
    catalog: Path, both: Path, tiny_folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    rows = stored(catalog, "maps").to_pylist()
    sides: dict[str, dict[tuple[int, int, int], list[float]]] = {"top": {}, "bottom": {}}
    for row in rows:
        key = (row["layer"], row["head"], row["source_rank"])
        sides[row["side"]].setdefault(key, []).append(row["logit"])
    assert sides["top"].keys() == sides["bottom"].keys()
    assert len(sides["top"]) == 3 * 4 * 320
    for key, top in sides["top"].items():
        bottom = sides["bottom"][key]
        assert len(top) == len(bottom) == 4
        assert top == sorted(top, reverse=True)
        assert bottom == sorted(bottom)
        assert bottom[-1] <= top[-1]
    mapped(tiny_folder, tmp_path / "plain")
    plain = stored(tmp_path / "plain", "maps").to_pylist()
    assert {row["side"] for row in plain} == {"top"}
    assert "suppresses" in text_of(capsys, "show", both, "L1H0")
    assert "suppresses" not in text_of(capsys, "show", tmp_path / "plain", "L1H0")


def width(line: str) -> int:
    """Cells that a line takes on a terminal."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in line)
    return len(line) + wide - sum(unicodedata.combining(char) > 0 for char in line)


@pytest.mark.parametrize("columns", [80, 140, None])
def test_no_line_is_longer_than_the_terminal_is_wide(
    both: Path,
    tiny_folder: Path,
    columns: int | None,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", str(columns))
    for args in (
        ("show", both, "L2H3", "--rows", "45"),
        ("heads", both),
        ("heads", both, "--telling"),
        ("row", tiny_folder, "L1H2", " the", "-k", "50"),
        ("find", tiny_folder, " the", " of"),
    ):
        text = text_of(capsys, *args)
        assert max(map(width, text.splitlines())) <= (columns or 100), args
        assert len(text.splitlines()) > 5


def letters(text: str) -> Counter[str]:
    """How often each character comes, those that lay out a table left out."""
    return Counter(char for char in text if not char.isspace() and char != "─")


def test_a_narrow_terminal_loses_no_character(
    both: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit on a line goes on in the next one; nothing is cut off."""
    printed: list[str] = []
    for columns in (60, 400):
        monkeypatch.setenv("COLUMNS", str(columns))
        printed.append(text_of(capsys, "show", both, "L2H3", "--rows", "45"))
    narrow, wide = printed
    assert len(narrow.splitlines()) > len(wide.splitlines())
    assert letters(narrow) == letters(wide)

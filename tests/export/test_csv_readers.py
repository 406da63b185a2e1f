"""CSV as those read it whom the README names: pandas, by the line that stands there, and Excel."""

from __future__ import annotations

import csv
import re
from codecs import BOM_UTF8
from itertools import cycle
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import annotator
from annotator.cli import main
from annotator.errors import SettingInvalid
from annotator.views.export.tables import schemas
from annotator.views.figures import comparison, panels
from tests.commands import files_of

TOKENS = ("NA", "null", "nan", "NaN", "None", "N/A", "<NA>", "-inf", "1e5", "007", "true", "x")
README = Path(__file__).parents[2] / "README.md"
Capture = pytest.CaptureFixture[str]


def as_documented(file: Path) -> pd.DataFrame:
    """What the README's own line gives."""
    (line,) = re.findall(r"`(pandas\.read_csv\(.*?\))`", README.read_text("utf-8"))
    return eval(line, {"pandas": pd, "file": file})


def unguarded(text: str) -> str:
    assert isinstance(text, str)
    return text.removeprefix("'")


@pytest.mark.parametrize("bom", [False, True])
def test_pandas_keeps_numbers_numbers_and_texts_texts(
    copied: Path, tmp_path: Path, bom: bool
) -> None:
    maps = pq.read_table(copied / "maps.parquet")
    at, tokens = maps.schema.get_field_index("target"), cycle(TOKENS)
    named = pa.array([next(tokens) for _ in range(len(maps))])
    pq.write_table(maps.set_column(at, maps.schema.field(at), named), copied / "maps.parquet")
    annotator.export(copied, "csv", tmp_path / "csv", bom=bom, progress=False)
    annotator.export(copied, "parquet", tmp_path / "parquet", progress=False)
    blank: list[str] = []
    for name, schema in schemas().items():
        frame = as_documented(tmp_path / "csv" / f"{name}.csv")
        table = pq.read_table(tmp_path / "parquet" / f"{name}.parquet")
        assert list(frame) == table.schema.names == schema.names
        for field in schema:
            wanted = table[field.name].to_pylist()
            got = [None if pd.isna(one) else one for one in frame[field.name]]
            if pa.types.is_integer(field.type) or pa.types.is_floating(field.type):
                assert pd.api.types.is_numeric_dtype(frame[field.name]), (name, field.name)
                assert got == [None if one is None else pytest.approx(one) for one in wanted]
                blank += [field.name] if None in wanted else []
            elif pa.types.is_string(field.type):
                texts = [one if one is None else unguarded(one) for one in got]
                assert texts == [one or None for one in wanted], "an empty one is missing"
    assert blank, "a column of numbers had a blank"
    shown = as_documented(tmp_path / "csv" / "mappings.csv")["target"]
    assert {unguarded(one) for one in shown} == {*TOKENS}


def test_a_mark_begins_each_file_and_changes_nothing_else(
    bare: Path, tmp_path: Path, capsys: Capture
) -> None:
    for out, options in (("plain", []), ("marked", ["--bom"])):
        command = ["export", str(bare), "--to", "csv", "--out", str(tmp_path / out)]
        assert main([*command, *options]) == 0
    plain, marked = files_of(tmp_path / "plain"), files_of(tmp_path / "marked")
    assert sorted(plain) == ["heads.csv", "mappings.csv"]
    assert marked == {name: BOM_UTF8 + held for name, held in plain.items()}
    assert not any(held.startswith(BOM_UTF8) for held in plain.values())
    with (tmp_path / "marked" / "heads.csv").open(encoding="utf-8-sig", newline="") as file:
        assert next(csv.reader(file))[0] == "model"
    capsys.readouterr()
    assert main(["export", str(bare), "--to", "jsonl", "--bom"]) == 2
    assert "--bom is for --to csv" in capsys.readouterr().err
    with pytest.raises(SettingInvalid, match="only CSV files begin with"):
        annotator.export(bare, "parquet", tmp_path / "no", bom=True)


def test_tables_of_experiments_have_it_too(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    for figures in (panels, comparison):
        monkeypatch.setattr(figures, "drawn", lambda *_: [])
    for command in ("correlate", "compare"):
        words = ["validate", command, str(copied), "--out"]
        assert main([*words, str(tmp_path / "plain")]) == 0
        assert main([*words, str(tmp_path / "marked"), "--bom"]) == 0
    plain, marked = files_of(tmp_path / "plain"), files_of(tmp_path / "marked")
    assert marked == {
        name: BOM_UTF8 + held if name.endswith(".csv") else held for name, held in plain.items()
    }
    assert {"correlate.csv", "correlate.md", "compare_relations.csv"} <= marked.keys()
    capsys.readouterr()
    for unwritten in (["compare", str(copied)], ["correlate", str(copied), "--relation", "known"]):
        assert main(["validate", *unwritten, "--bom"]) == 2
        assert "name --out" in capsys.readouterr().err

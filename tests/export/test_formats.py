"""Every format gives back every table as it was, whatever is in it, to readers of other hands."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.json as arrow_json
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.tokens.load import load_vocabulary
from annotator.views.export.registry import FORMATS
from annotator.views.export.tables import schemas
from annotator.weights.model import open_model
from tests.export.hostile import SHAPES, tables, texts

SCHEMAS = schemas()

some_table = st.sampled_from(sorted(SCHEMAS)).flatmap(lambda name: tables(SCHEMAS[name]))


def written(table: pa.Table, to: str) -> bytes:
    buffer = io.BytesIO()
    import_module(FORMATS[to]).write(table, buffer)
    return buffer.getvalue()


def unguarded(text: str | None) -> str | None:
    """What the CSV's page says: a first apostrophe is taken off."""
    return text.removeprefix("'") if text is not None else None


def parsed(text: str, field: pa.Field, quoted: bool) -> Any:
    """A cell of CSV as its column has it."""
    kind = field.type
    if not text and not quoted:
        return None
    if pa.types.is_boolean(kind):
        return {"true": True, "false": False}[text]
    if pa.types.is_integer(kind):
        return int(text)
    if pa.types.is_floating(kind):
        value = float(text)
        return pa.scalar(value, kind).as_py()
    if pa.types.is_timestamp(kind):
        return datetime.fromisoformat(text).astimezone(UTC)
    return unguarded(text)


def by_arrow_csv(data: bytes, schema: pa.Schema) -> list[dict[str, Any]]:
    types = {f.name: pa.string() if pa.types.is_boolean(f.type) else f.type for f in schema}
    options = arrow_csv.ConvertOptions(
        column_types=types,
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        null_values=[""],
    )
    lines = arrow_csv.ParseOptions(newlines_in_values=True)
    table = arrow_csv.read_csv(io.BytesIO(data), parse_options=lines, convert_options=options)
    columns: dict[str, list[Any]] = {}
    for field in schema:
        column = table[field.name].to_pylist()
        if pa.types.is_string(field.type):
            column = [unguarded(value) for value in column]
        if pa.types.is_boolean(field.type):
            column = [None if value is None else value == "true" for value in column]
        columns[field.name] = column
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def by_csv_module(data: bytes, schema: pa.Schema) -> list[dict[str, Any]]:
    rows = list(csv.reader(io.StringIO(data.decode(), newline="")))
    assert rows[0] == schema.names
    nulls = {f.name for f in schema if f.nullable and pa.types.is_string(f.type)}
    found: list[dict[str, Any]] = []
    for row in rows[1:]:
        cells = dict(zip(schema.names, row, strict=True))
        found.append(
            {
                f.name: parsed(cells[f.name], f, f.name not in nulls and pa.types.is_string(f.type))
                for f in schema
            }
        )
    return found


def by_json(data: bytes, schema: pa.Schema) -> list[dict[str, Any]]:
    def refused(constant: str) -> float:
        raise AssertionError(constant)

    rows = [json.loads(line, parse_constant=refused) for line in data.decode().splitlines()]
    times = [f.name for f in schema if pa.types.is_timestamp(f.type)]
    for row in rows:
        row |= {name: row[name] and datetime.fromisoformat(row[name]) for name in times}
    return rows


def by_arrow_json(data: bytes, schema: pa.Schema) -> list[dict[str, Any]]:
    options = arrow_json.ParseOptions(explicit_schema=schema)
    return arrow_json.read_json(io.BytesIO(data), parse_options=options).to_pylist()


def by_parquet(data: bytes, schema: pa.Schema) -> list[dict[str, Any]]:
    read = pq.read_table(io.BytesIO(data))
    assert read.schema.equals(schema)
    return read.to_pylist()


Reader = Callable[[bytes, pa.Schema], list[dict[str, Any]]]
READERS: dict[str, list[Reader]] = {
    "csv": [by_arrow_csv],
    "jsonl": [by_json],
    "parquet": [by_parquet],
}


@given(some_table)
def test_every_format_gives_back_every_table(table: pa.Table) -> None:
    rows = table.to_pylist()
    for to, readers in READERS.items():
        data = written(table, to)
        for read in readers:
            assert read(data, table.schema) == rows, read.__name__


@given(some_table)
def test_the_csv_module_reads_it_but_for_null_and_empty(table: pa.Table) -> None:
    """It takes both for an empty text; pyarrow, told so, does not."""
    names = [f.name for f in table.schema if f.nullable and pa.types.is_string(f.type)]
    rows = [row | {name: row[name] or None for name in names} for row in table.to_pylist()]
    assert by_csv_module(written(table, "csv"), table.schema) == rows


@given(some_table)
def test_an_object_a_line_for_whoever_breaks_lines(table: pa.Table) -> None:
    text = written(table, "jsonl").decode()
    assert len(text.splitlines()) == len(table) == text.count("\n")
    if len(table):
        frame = pd.read_json(io.StringIO(text), lines=True, dtype=False)
        names = [f.name for f in table.schema if pa.types.is_string(f.type)]
        for name in names:
            read = [None if pd.isna(value) else value for value in frame[name]]
            assert read == table[name].to_pylist()


@given(texts)
def test_no_cell_of_csv_is_a_formula(text: str) -> None:
    data = written(pa.table({"text": [text]}), "csv").decode()
    (_, (cell,)) = csv.reader(io.StringIO(data, newline=""))
    bare = cell.lstrip("".join(map(chr, range(33))) + "\x7f\ufeff")
    assert not bare.startswith(tuple("=+-@＝＋－＠"))
    assert not cell.startswith(("\t", "\r", "\n"))
    assert cell == text or (cell[0] == "'" and cell[1:] == text)
    assert (cell != text) or not text.startswith("'")


def test_null_and_empty_stay_two() -> None:
    table = pa.table({"text": ["", None, "NA"]})
    assert written(table, "csv") == b'"text"\n""\n\n"NA"\n'
    assert written(table, "jsonl") == b'{"text": ""}\n{"text": null}\n{"text": "NA"}\n'


def test_a_number_that_is_none_is_no_json() -> None:
    with pytest.raises(ValueError, match="JSON"):
        written(pa.table({"number": [math.nan]}), "jsonl")


def test_a_table_of_many_parts_has_one_header() -> None:
    table = pa.table({"text": ["=1", "a", ""] * 50_000})
    rows = list(csv.reader(io.StringIO(written(table, "csv").decode(), newline="")))
    assert rows == [["text"], *[["'=1"], ["a"], [""]] * 50_000]


@pytest.fixture(scope="module")
def vocabulary(real_gguf: Path) -> pa.Table:
    """Every token of a real model as it is shown, and every shape that is hostile."""
    model = open_model(real_gguf)
    shown = load_vocabulary(model.source, model.dims.vocab)
    tokens = [shown.shown(id) for id in range(model.dims.vocab)]
    assert len(set(tokens)) == len(tokens) == 49_152
    assert {"=", "+", "-", "@", "'", '"', ",", "null", "\\n", "|", "<"} <= set(tokens)
    return pa.table({"id": range(len(tokens) + len(SHAPES)), "text": [*tokens, *SHAPES]})


def test_the_whole_vocabulary_passes_through_csv(vocabulary: pa.Table) -> None:
    data, wanted = written(vocabulary, "csv"), vocabulary["text"].to_pylist()
    rows = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    assert [unguarded(row["text"]) for row in rows] == wanted
    frame = pd.read_csv(io.BytesIO(data), keep_default_na=False, dtype={"text": str})
    assert [unguarded(text) for text in frame["text"]] == wanted
    assert by_arrow_csv(data, vocabulary.schema) == vocabulary.to_pylist()


def test_the_whole_vocabulary_passes_through_json(vocabulary: pa.Table) -> None:
    data = written(vocabulary, "jsonl")
    assert by_json(data, vocabulary.schema) == vocabulary.to_pylist()
    assert by_arrow_json(data, vocabulary.schema) == vocabulary.to_pylist()
    frame = pd.read_json(io.BytesIO(data), lines=True, dtype=False)
    assert frame["text"].tolist() == vocabulary["text"].to_pylist()


def test_the_whole_vocabulary_passes_through_parquet(vocabulary: pa.Table) -> None:
    data = written(vocabulary, "parquet")
    assert by_parquet(data, vocabulary.schema) == vocabulary.to_pylist()
    assert pd.read_parquet(io.BytesIO(data))["text"].tolist() == vocabulary["text"].to_pylist()

"""What goes into a catalog comes out of it."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import annotator
from annotator.catalog.schema import MAP_TABLES, to_heads, to_tables
from annotator.errors import SettingInvalid
from annotator.maps.engine import map_layers
from annotator.maps.heads import head_maps
from annotator.maps.settings import MapSettings
from annotator.records import HeadId, HeadMap, SalientMapping, Signatures, Target, Token
from annotator.tokens.load import load_vocabulary
from annotator.views.export import csv as csv_format
from annotator.views.export import jsonl, parquet
from annotator.weights.model import open_model

single = st.floats(width=32, allow_nan=False, allow_infinity=False)
share = st.floats(0, 1, width=32)
# What `show_bytes` can give, hostile to every format at once; no lone surrogates, no line breaks.
shown = st.text(
    st.one_of(
        st.sampled_from(list("\"',;|<>&{}=+-@\\␣⟦⟧\x85")), st.characters(exclude_categories=["Cs"])
    ),
    max_size=6,
)
# Plain values: under pytest the records check their types with a random sample of theirs, which
# must not happen while hypothesis draws.
tokens = st.tuples(st.integers(0, 2**31 - 1), shown)
targets = st.lists(st.tuples(tokens, single), min_size=1, max_size=3)
mappings = st.lists(
    st.tuples(tokens, single, targets, st.one_of(st.just([]), targets)), min_size=1, max_size=3
)
ids = st.tuples(st.integers(0, 200), st.integers(0, 127))
heads = st.dictionaries(
    ids,
    st.tuples(st.integers(0, 127), mappings, st.tuples(*[share] * 7, single)),
    max_size=4,
)


def built(plain: dict[Any, Any]) -> list[HeadMap]:
    def some(targets: list[Any]) -> tuple[Target, ...]:
        return tuple(Target(Token(*token), logit) for token, logit in targets)

    return [
        HeadMap(
            HeadId(*id),
            kv_head,
            tuple(SalientMapping(Token(*s), sigma, some(t), some(b)) for s, sigma, t, b in rows),
            Signatures(*numbers),
        )
        for id, (kv_head, rows, numbers) in sorted(plain.items(), key=lambda item: item[0])
    ]


@given(heads)
def test_records_round_trip_through_the_tables(plain: dict[Any, Any]) -> None:
    some = built(plain)
    tables = to_tables(some)
    assert {name: table.schema for name, table in tables.items()} == MAP_TABLES
    assert list(to_heads(tables["maps"], tables["signatures"])) == some


def test_heads_whose_rows_are_in_another_order_are_refused_before_the_first() -> None:
    target = (Target(Token(2, "b"), 0.5),)
    mapping = SalientMapping(Token(1, "a"), 1.0, target)
    some = [HeadMap(HeadId(0, i), 0, (mapping,), Signatures(*[0.0] * 8)) for i in range(3)]
    maps, signatures = (to_tables(some)[name] for name in ("maps", "signatures"))
    for rows in ([1, 0, 2], [0, 1], [0, 1, 2, 0], [0, 0, 1, 2, 1]):
        with pytest.raises(ValueError, match="the heads of the two tables"):
            to_heads(maps.take(rows), signatures)


@given(heads)
def test_every_format_holds_the_same_rows(plain: dict[Any, Any]) -> None:
    for table in to_tables(built(plain)).values():
        rows = table.to_pylist()
        written = {}
        for name, form in {"jsonl": jsonl, "csv": csv_format, "parquet": parquet}.items():
            buffer = io.BytesIO()
            form.write(table, buffer)
            written[name] = buffer.getvalue()
        lines = written["jsonl"].decode().split("\n")
        assert [json.loads(line) for line in lines if line] == rows
        read = list(csv.DictReader(io.StringIO(written["csv"].decode(), newline="")))
        for got, row in zip(read, rows, strict=True):
            for column, value in row.items():
                if isinstance(value, str):
                    assert got[column].removeprefix("'") == value
                else:
                    assert float(got[column]) == pytest.approx(value, rel=1e-6)
        assert pq.read_table(io.BytesIO(written["parquet"])).to_pylist() == rows


@pytest.fixture(scope="module")
def catalog(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> annotator.Catalog:
    out = tmp_path_factory.mktemp("catalog") / "tiny"
    return annotator.map_model(tiny_folder, out, MapSettings(suppress=True))


def test_the_catalog_holds_what_the_engine_gives(
    catalog: annotator.Catalog, tiny_folder: Path
) -> None:
    model = open_model(tiny_folder)
    vocabulary = load_vocabulary(model.source, model.dims.vocab)
    settings = MapSettings(suppress=True)
    expected = [
        h for maps in map_layers(model, settings, range(3)) for h in head_maps(maps, vocabulary)
    ]
    assert len(expected) == len(catalog) == 12
    for there, wanted in zip(catalog, expected, strict=True):
        assert there.mappings == wanted.mappings
        assert there.kv_head == wanted.kv_head == wanted.head.head // 2
        for name in Signatures.names():
            ours, theirs = getattr(there.signatures, name), getattr(wanted.signatures, name)
            assert ours == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize("sources", [0, -1])
def test_maps_of_no_sources_are_refused(catalog: annotator.Catalog, sources: int) -> None:
    with pytest.raises(SettingInvalid, match="sources"):
        catalog.maps(sources)


@pytest.mark.parametrize("sources", [1, 30, 45, 1000])
def test_maps_of_so_many_sources_are_the_first(catalog: annotator.Catalog, sources: int) -> None:
    wanted = [replace(head, mappings=head.mappings[:sources]) for head in catalog]
    assert list(catalog.maps(sources)) == wanted
    assert [catalog.head(head.head) for head in wanted] == list(catalog.maps())


def test_the_manifest_records_every_setting(catalog: annotator.Catalog, tiny_folder: Path) -> None:
    manifest = json.loads((catalog.folder / "catalog.json").read_text())
    assert set(manifest["settings"]) == set(MapSettings().as_dict()) | {"device"}
    assert manifest["settings"]["suppress"] is True
    assert manifest["model"]["id"] == "tiny-llama"
    assert manifest["model"]["family"] == "llama"
    assert len(manifest["model"]["weight_digest"]) == 64
    assert manifest["dims"] == open_model(tiny_folder).dims.as_dict()
    assert set(manifest["versions"]) == {"annotator", "torch"}


def test_rows_without_a_norm_have_no_sigma() -> None:
    mapping = SalientMapping(Token(1, "a"), math.nan, (Target(Token(2, "b"), 0.5),))
    head = HeadMap(HeadId(0, 0), 0, (mapping,), Signatures(*[0.0] * 8))
    tables = to_tables([head])
    assert tables["maps"]["sigma"].null_count == 1
    assert math.isnan(next(to_heads(tables["maps"], tables["signatures"])).mappings[0].sigma)


def test_heads_sorted_by_a_signature(catalog: annotator.Catalog) -> None:
    for name in (*Signatures.names(), "telling"):
        values = [getattr(head.signatures, name) for head in catalog.heads(sort=name)]
        assert values == sorted(values, reverse=True)
        assert len(values) == 12


def test_telling_takes_one_head_of_each_group(catalog: annotator.Catalog) -> None:
    telling = catalog.telling(4)
    assert [len(head.mappings) for head in telling] == [45] * 4
    groups = [(head.head.layer, head.kv_head) for head in telling]
    assert len(set(groups)) == len(groups) == 4
    best = catalog.heads(sort="telling")
    assert telling[0].head == best[0].head
    for head in telling:
        group = [h for h in best if (h.head.layer, h.kv_head) == (head.head.layer, head.kv_head)]
        assert head.head == group[0].head


def test_faces_of_a_head(catalog: annotator.Catalog) -> None:
    head = catalog.head("L2H1")
    assert head.head == HeadId(2, 1)
    frame = head.frame()
    assert len(frame) == 45 * 5 * 2
    assert list(frame.columns) == MAP_TABLES["maps"].names
    rows = catalog.frame("mappings").query("layer == 2 and head == 1")
    assert catalog.frame("maps").equals(catalog.frame("mappings")), "as it was called before"
    assert frame["target"].tolist() == rows["target"].tolist()
    assert frame["logit"].tolist() == pytest.approx(rows["logit"].tolist())


def test_html_escapes_every_token() -> None:
    nasty = Target(Token(2, "</code><script>alert(1)</script>"), 0.5)
    mapping = SalientMapping(Token(1, "<img src=x onerror=alert(1)>"), 1.0, (nasty,), (nasty,))
    page = HeadMap(HeadId(0, 0), 0, (mapping,), Signatures(*[0.0] * 8))._repr_html_()
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert "suppresses" in page

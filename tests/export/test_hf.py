"""A dataset's folder is what `datasets` loads, and its card what the hub and readers read."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import DatasetCard
from hypothesis import assume, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import annotator
from annotator.catalog.read import open_catalog
from annotator.errors import CatalogForeign, SettingInvalid
from annotator.records.table import TEXT, Column, Table
from annotator.views.export import hf
from annotator.views.export.tables import exported, schemas
from tests.export import load, rows_of
from tests.export.hostile import SHAPES, texts

SCHEMAS = schemas()

TYPES = {
    "string": "Value('string')",
    "int16": "Value('int16')",
    "int32": "Value('int32')",
    "int64": "Value('int64')",
    "float": "Value('float32')",
    "double": "Value('float64')",
    "bool": "Value('bool')",
    "timestamp[us, tz=UTC]": "Value('timestamp[us, tz=UTC]')",
}


def loaded(folder: Path, tmp_path: Path, configs: list[str]) -> Any:
    """What `datasets` makes of it, in a process without a network."""
    out = tmp_path / "loaded"
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    arguments = [str(folder), str(tmp_path / "cache"), str(out), *configs]
    subprocess.run(
        [sys.executable, "-W", "error", load.__file__, *arguments],
        env={**os.environ, **offline, "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"},
        check=True,
        timeout=300,
    )
    return pickle.loads(out.read_bytes())


@pytest.fixture(scope="module")
def dataset(all_there: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dataset") / "hf"
    files = annotator.export(all_there, "hf", out, license="CC-BY-4.0", progress=False)
    assert files == [out / name for name in hf.every_file()]
    return out


def test_datasets_loads_every_config_without_a_network(
    dataset: Path, all_there: Path, tmp_path: Path
) -> None:
    catalog = open_catalog(all_there)
    tables = exported(catalog, rows_of(catalog))
    names, default, found = loaded(dataset, tmp_path, list(tables))
    assert names == list(SCHEMAS) == list(found)
    assert default == tables["heads"].to_pylist()
    for name, (split, features, rows) in found.items():
        table = tables[name]
        assert split == "train"
        assert features == {field.name: TYPES[str(field.type)] for field in table.schema}
        assert rows == table.to_pylist()
        assert pq.read_table(dataset / hf.file_of(name)).equals(table)


def test_datasets_loads_a_catalog_with_nothing_but_maps(bare: Path, tmp_path: Path) -> None:
    annotator.export(bare, "hf", tmp_path / "hf", progress=False)
    names, default, found = loaded(tmp_path / "hf", tmp_path, ["heads", "mappings"])
    assert names == ["heads", "mappings"]
    assert len(default) == 12
    assert found["mappings"][2] == exported(open_catalog(bare), {})["mappings"].to_pylist()
    card = (tmp_path / "hf" / hf.CARD).read_text(encoding="utf-8")
    for absent in ("relations", "ablations", "What was measured", "Judgments are", "by language"):
        assert absent not in card.replace("the pairs of relations", "").replace("`ablations`", "")


def test_datasets_loads_every_token_of_a_real_vocabulary(real_gguf: Path, tmp_path: Path) -> None:
    from annotator.tokens.load import load_vocabulary
    from annotator.views.export import parquet
    from annotator.weights.model import open_model

    model = open_model(real_gguf)
    shown = load_vocabulary(model.source, model.dims.vocab)
    table = pa.table({"text": [*(shown.shown(id) for id in range(model.dims.vocab)), *SHAPES]})
    (tmp_path / "hf").mkdir()
    with (tmp_path / "hf" / "tokens.parquet").open("wb") as file:
        parquet.write(table, file)
    _, default, _ = loaded(tmp_path / "hf", tmp_path, [])
    assert default == table.to_pylist()


def test_the_front_matter(dataset: Path) -> None:
    card = DatasetCard.load(dataset / hf.CARD)
    data = card.data.to_dict()
    assert data["license"] == "cc-by-4.0"
    assert data["pretty_name"] == "Attention heads of tiny-llama"
    assert data["size_categories"] == ["1K<n<10K"]
    configs = data["configs"]
    assert [one["config_name"] for one in configs] == list(SCHEMAS)
    assert [one["config_name"] for one in configs if one.get("default")] == ["heads"]
    for one in configs:
        (files,) = one["data_files"]
        assert files == {"split": "train", "path": f"data/{one['config_name']}.parquet"}


def test_the_card_says_what_there_is(dataset: Path, all_there: Path) -> None:
    text = (dataset / hf.CARD).read_text(encoding="utf-8")
    manifest = open_catalog(all_there).manifest
    digest, version = manifest.model["weight_digest"], manifest.versions["annotator"]
    for said in (
        *(digest, "tiny-llama", "arXiv", "2412.11965", "Elhelo, Amit and Geva, Mor"),
        *(
            "Published under `cc-by-4.0`",
            "by 3 raters",
            "no hidden controls",
        ),
        *(
            "openai:tiny (2)",
            "static: from weights alone",
            "Not scored, for fewer than 30 such pairs: few",
        ),
        *(f"version = {{{version}}}", "author    = {Elhelo,"),
        *("| on | answers | skipped | see a pattern | and it was described | accepted |",),
        *("rules (baseline, no language model)", "Pearson's r over heads and four prompt"),
        *("## Citation", "## Limits", "## Licence", "## What was measured", "load_dataset("),
    ):
        assert said in text, said
    for name, schema in SCHEMAS.items():
        assert f"- `{name}`: " in text
        for column in schema.names:
            assert f"| {column.replace('_', chr(92) + '_')} |" in text, (name, column)


def structure(text: str) -> list[tuple[str, str]]:
    """What a reader of Markdown sees, but for words: kinds of blocks, headings and code."""
    parser = MarkdownIt("commonmark").enable("table")
    body = text.split("\n---\n", 1)[1]
    return [(token.type, token.tag) for token in parser.parse(body)]


@given(texts, texts)
def test_nothing_that_comes_from_outside_is_markup(outside: str, other: str) -> None:
    """A card of the same shape comes of any name, in any of the places where names come in."""
    assume(outside != other)  # two columns of a summary, which would be one
    assert structure(card_of(outside, other)) == structure(card_of("tiny", "other"))
    matter = yaml.safe_load(card_of(outside, other).split("\n---\n")[0])
    assert matter.keys() == {"pretty_name", "license", "tags", "size_categories", "configs"}
    assert matter["license"] == "unknown"
    wanted = "".join(c if c.isprintable() else "\ufffd" for c in outside)
    assert matter["pretty_name"] == f"Attention heads of {wanted}"


def card_of(outside: str, other: str) -> str:
    from annotator.catalog.manifest import Manifest

    model = {"id": outside, "revision": "x", "weight_digest": "0" * 64, "family": other}
    settings = {"sources": 45, "targets": 5, "device": other}
    manifest = Manifest(model, {"n_heads": 1}, settings, {"annotator": "0.1.0"})
    heads = SCHEMAS["heads"].empty_table()
    said = pa.table({"llm": [other, outside], "status": [outside, other]})
    tables = {"heads": heads, "descriptions": described(said)}
    columns = [Column(TEXT, [outside], label="relation"), Column(TEXT, [other], label="reason")]
    return hf.card(manifest, tables, (), [Table("correlate", "A title", "About it.", columns)])


def described(said: pa.Table) -> pa.Table:
    schema = SCHEMAS["descriptions"]
    own = {name: said[name] for name in said.column_names}
    arrays = [own.get(f.name, pa.nulls(len(said), f.type)) for f in schema]
    return pa.Table.from_arrays(arrays, names=schema.names)


@pytest.mark.parametrize("license", ["", "a b", "MIT\nx", "{{ 1 }}", "é", "-x", "mit: x", "x" * 99])
def test_what_is_no_licence(bare: Path, tmp_path: Path, license: str) -> None:
    with pytest.raises(SettingInvalid, match="such as cc-by"):
        annotator.export(bare, "hf", tmp_path / "hf", license=license)
    assert not (tmp_path / "hf").exists()


def test_without_a_licence_the_card_says_so(bare: Path, tmp_path: Path) -> None:
    annotator.export(bare, "hf", tmp_path, progress=False)
    assert "named no licence" in (tmp_path / hf.CARD).read_text(encoding="utf-8")
    assert DatasetCard.load(tmp_path / hf.CARD).data.to_dict()["license"] == "unknown"


def test_somebody_elses_card_is_not_replaced(bare: Path, tmp_path: Path) -> None:
    (tmp_path / hf.CARD).write_text("# My thesis\n")
    with pytest.raises(CatalogForeign, match="no dataset card of annotator's"):
        annotator.export(bare, "hf", tmp_path, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == [hf.CARD]
    assert (tmp_path / hf.CARD).read_text() == "# My thesis\n"


def test_the_same_catalog_gives_the_same_bytes(
    dataset: Path, all_there: Path, tmp_path: Path
) -> None:
    annotator.export(all_there, "hf", tmp_path, license="cc-by-4.0", progress=False)
    for name in hf.every_file():
        assert (tmp_path / name).read_bytes() == (dataset / name).read_bytes()


@given(st.integers(1, 10**9))
def test_size_categories(rows: int) -> None:
    said = hf._size(rows)
    low, high = {"n<1K": (0, 10**3), "10M<n<100M": (10**7, 10**10)}.get(said, (None, None))
    if low is None:
        names = {"1K": 10**3, "10K": 10**4, "100K": 10**5, "1M": 10**6, "10M": 10**7}
        low, high = (names[one] for one in said.split("<n<"))
    assert low <= rows < high

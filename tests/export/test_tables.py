"""What is exported of a catalog: its own rows, whose they are, and nothing that is secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from annotator.catalog.descriptions import LEDGER
from annotator.catalog.experiment_shards import schema_of
from annotator.catalog.manifest import Manifest
from annotator.catalog.read import Catalog, open_catalog
from annotator.describe.outcome import Described, fields_of
from annotator.errors import CatalogBroken
from annotator.ledger.attempt_results import AttemptResult
from annotator.ledger.ledger import Ledger
from annotator.pipeline.experiment_results import read_results
from annotator.records import HeadId, HeadSummary
from annotator.views.export.columns import about, meaning
from annotator.views.export.public_names import pseudonyms, public_model
from annotator.views.export.tables import IDENTITY, exported, schemas
from tests.export import rows_of
from tests.export.conftest import RATERS

SCHEMAS = schemas()

NAMES = (
    *("heads", "mappings", "relations", "relation_curves", "descriptions", "judgments"),
    *("verdicts", "studies"),
    *("validation", "ablations"),
)


@pytest.fixture(scope="module")
def catalog(all_there: Path) -> Catalog:
    return open_catalog(all_there)


@pytest.fixture(scope="module")
def tables(catalog: Catalog) -> dict[str, pa.Table]:
    return exported(catalog, rows_of(catalog))


def test_every_table_has_its_schema_and_rows(tables: dict[str, pa.Table]) -> None:
    assert tuple(tables) == tuple(SCHEMAS) == NAMES
    for name, table in tables.items():
        assert about(name)
        table.validate(full=True)
        assert table.schema.equals(SCHEMAS[name])
        assert len(table) > 0
        for field in table.schema:
            assert field.nullable or table[field.name].null_count == 0
            assert meaning(name, field.name)
        begins = table.schema.names[: len(IDENTITY)]
        assert begins == list(IDENTITY) or (
            name in ("studies", "ablations") and begins[:2] == ["model", "revision"]
        )


def test_ids_are_of_the_model_and_the_head(catalog: Catalog, tables: dict[str, pa.Table]) -> None:
    digest = catalog.manifest.model["weight_digest"]
    rows = tables["heads"].to_pylist()
    assert [row["id"] for row in rows] == [
        f"tiny-llama@{digest[:12]}/L{layer}H{head}" for layer in range(3) for head in range(4)
    ]
    for name in set(NAMES) - {"studies", "ablations"}:
        for row in tables[name].to_pylist():
            assert row["id"] == rows[row["layer"] * 4 + row["head"]]["id"]
            assert (row["model"], row["revision"]) == ("tiny-llama", None)


def of_hub(folder: Path, **model: Any) -> Catalog:
    content = json.loads((folder / "catalog.json").read_text())
    content["model"] |= model
    (folder / "catalog.json").write_text(json.dumps(content))
    return open_catalog(folder)


def test_ids_of_a_hub_model_have_its_commit(copied: Path) -> None:
    catalog = of_hub(copied, id="someone/tiny", revision="f" * 40)
    row = exported(catalog, {})["heads"].to_pylist()[5]
    assert row["id"] == f"someone/tiny@{'f' * 40}/L1H1"
    assert (row["model"], row["revision"]) == ("someone/tiny", "f" * 40)


@pytest.mark.parametrize(
    ("id", "revision", "shown"),
    [
        ("tiny.gguf", None, "tiny.gguf"),
        ("someone/tiny", "f" * 40, "someone/tiny"),
        ("someone/tiny", None, "someone/tiny"),
        ("/home/ada/models/tiny/", None, "tiny"),
        ("~/tiny", None, "tiny"),
        ("../tiny", None, "tiny"),
        ("C:\\Users\\ada\\tiny.gguf", None, "tiny.gguf"),
        ("models\\tiny", None, "tiny"),
    ],
)
def test_a_model_has_no_folder(id: str, revision: str | None, shown: str) -> None:
    assert public_model(Manifest({"id": id, "revision": revision}, {}, {}, {})) == shown


def test_the_catalogs_own_rows_are_in_it(catalog: Catalog, tables: dict[str, pa.Table]) -> None:
    for name, own in {
        "mappings": "maps",
        "relations": "relations",
        "relation_curves": "relation_curves",
    }.items():
        table = catalog.table(own)
        assert tables[name].select(table.schema.names).equals(table)
    heads, signatures = tables["heads"], catalog.table("signatures")
    assert heads.select(signatures.schema.names).equals(signatures)
    telling = {one.head: one.signatures.telling for one in catalog.heads()}
    assert {HeadId(r["layer"], r["head"]): r["telling"] for r in heads.to_pylist()} == telling


def test_experiments_are_rows_of_one_table(catalog: Catalog, tables: dict[str, pa.Table]) -> None:
    found = {one.experiment.name: one for one in read_results(catalog, progress=False)}
    rows = tables["validation"].to_pylist()
    for name in ("correlate", "multi_token", "variants"):
        own = schema_of(found[name].experiment).names
        of_it = [row for row in rows if row["experiment"] == name.replace("_", "-")]
        assert [{c: row[c] for c in own} for row in of_it] == found[name].rows.to_dict("records")
        absent = set(SCHEMAS["validation"].names) - {*own, *IDENTITY, "experiment"}
        assert all(row[column] is None for row in of_it for column in absent)
    ablate = found["ablate"]
    ablations = tables["ablations"].select(schema_of(ablate.experiment).names).to_pylist()
    assert ablations == ablate.rows.to_dict("records")


def test_raters_are_called_by_the_order_of_their_answers(
    catalog: Catalog, tables: dict[str, pa.Table]
) -> None:
    assert pseudonyms(catalog) == {"zoe": "R1", RATERS[1]: "R2", "ben": "R3"}
    rows = tables["judgments"].to_pylist()
    assert [row["rater"] for row in rows] == ["R1", "R2", "R3"] * 3
    given = {(i.head, pseudonyms(catalog)[j.rater]): j for i, j in catalog.judgments()}
    for row in rows:
        judgment = given[HeadId(row["layer"], row["head"]), row["rater"]]
        for column in ("item", "pattern", "precision", "category", "comment", "skipped", "seconds"):
            assert row[column] == getattr(judgment, column)


def test_language_models_have_no_server_and_no_folder(
    catalog: Catalog, tables: dict[str, pa.Table]
) -> None:
    names = ["openai:tiny", "openai:tiny (2)", "local:tiny.gguf", "rules"]
    describers = catalog.describers()
    assert [describers.llm(one) for one in describers.there] == names
    full = {one.who: describers.full(one.who) for one in catalog.descriptions()}
    assert list(map(full.get, describers.there)) == [f"{n}#abc" for n in names[:3]] + names[3:]
    rows = tables["descriptions"].to_pylist()
    for row, said in zip(rows, catalog.descriptions(), strict=True):
        assert row["llm"] == said.shown == describers.llm(said.who)
        assert row["describer"] == said.describer == full[said.who]
        for column in ("status", "inputs", "pattern", "category", "reasoning", "problem", "key"):
            assert row[column] == getattr(said, column)
        assert row["at"].timestamp() == pytest.approx(said.at)
    assert {row["llm"] for row in tables["judgments"].to_pylist()} == {"openai:tiny"}


@pytest.mark.parametrize(
    ("llms", "shown"),
    [
        (
            ["openai:m", "openai:m (2)", "openai:m@http://a/v1"],
            ["openai:m", "openai:m (2)", "openai:m (3)"],
        ),
        (
            ["openai:m@http://a/v1", "openai:m (2)@http://b/v1", "openai:m"],
            ["openai:m", "openai:m (2)", "openai:m (3)"],
        ),
        (["openai:/home/ada/m.gguf@http://a/v1"], ["openai:m.gguf"]),
        (["openai:meta/m@http://u:p@a/v1", "anthropic:m"], ["openai:meta/m", "anthropic:m"]),
        (
            ["local:C:\\ada\\m.gguf", "local:models/m.gguf", "local:"],
            ["local:m.gguf", "local:m.gguf (2)", "local:"],
        ),
        (["mine", "http://u:p@a/m", "mine:http://u:p@a"], ["mine", "m", "mine:"]),
    ],
)
def test_names_are_told_apart(
    bare: Path, tmp_path: Path, llms: list[str], shown: list[str]
) -> None:
    (tmp_path / "catalog.json").write_bytes((bare / "catalog.json").read_bytes())
    for name in ("maps", "signatures"):
        (tmp_path / f"{name}.parquet").write_bytes((bare / f"{name}.parquet").read_bytes())
    with Ledger(tmp_path / LEDGER) as ledger:
        for number, llm in enumerate(llms):
            ledger.add(llm, [(HeadId(0, 0), f"{number}", {})])
            ledger.record(ledger.begin(f"{number}", {}), AttemptResult("refused", {"reason": ""}))
    found = open_catalog(tmp_path).describers()
    assert [one.llm for one in found.there] == llms
    assert list(map(found.llm, found.there)) == list(map(found.short, found.there)) == shown


def test_what_nobody_made_is_not_exported(bare: Path) -> None:
    catalog = open_catalog(bare)
    assert list(exported(catalog, rows_of(catalog))) == ["heads", "mappings"]
    assert pseudonyms(catalog) == {}
    assert catalog.describers().there == ()
    assert not (bare / LEDGER).exists()


def test_the_ledger_is_only_read(copied: Path) -> None:
    before = (copied / LEDGER).read_bytes()
    exported(open_catalog(copied), {})
    assert (copied / LEDGER).read_bytes() == before


@pytest.mark.parametrize("name", ["maps", "signatures"])
def test_a_table_that_lacks_heads(copied: Path, name: str) -> None:
    path = copied / f"{name}.parquet"
    table = pq.read_table(path)
    pq.write_table(table.filter(pa.compute.field("layer") > 0), path)
    with pytest.raises(CatalogBroken, match="rows of 8 heads, not 12"):
        exported(open_catalog(copied), {})


def test_a_number_that_is_none(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = copied / "maps.parquet"
    table = pq.read_table(path)
    at = table.schema.get_field_index("logit")
    logits = pa.array([float("inf"), *table["logit"].to_pylist()[1:]], pa.float32())
    pq.write_table(table.set_column(at, table.schema.field(at), logits), path)
    with pytest.raises(CatalogBroken, match="logit in mappings is not finite"):
        exported(open_catalog(copied), {})


def test_summaries_are_what_heads_are_sorted_by(
    catalog: Catalog, tables: dict[str, pa.Table]
) -> None:
    heads: list[HeadSummary] = catalog.heads(sort="telling")
    rows = sorted(tables["heads"].to_pylist(), key=lambda row: -row["telling"])
    assert [HeadId(row["layer"], row["head"]) for row in rows] == [one.head for one in heads]


def test_half_a_character_is_no_reason_to_fail(copied: Path) -> None:
    """JSON can name one, and a language model or a server may send it; UTF-8 cannot write it."""
    with Ledger(copied / LEDGER) as ledger:
        said = fields_of(Described("a\ud800", "\udc00b\ud83d\ude42", "c", "general"))
        ledger.add("openai:half", [(HeadId(0, 0), "half", {"template": ""})])
        ledger.record(ledger.begin("half", {}), AttemptResult("described", said))
    rows = exported(open_catalog(copied), {})["descriptions"].to_pylist()
    (row,) = [row for row in rows if row["llm"] == "openai:half"]
    assert (row["reasoning"], row["inputs"]) == ("a\ufffd", "\ufffdb\U0001f642")

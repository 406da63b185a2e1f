"""What people judged comes out of a catalog as it was recorded."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import annotator
from annotator.catalog.descriptions import LEDGER
from annotator.catalog.judgments import JUDGMENT_TABLES
from annotator.catalog.read import open_catalog
from annotator.label_studio.task import task_of
from annotator.ledger.judgments import Judgments
from annotator.ledger.ledger import Ledger
from annotator.pipeline.describe import describe_heads
from annotator.pipeline.map import map_model
from annotator.records import Item, Judgment
from tests.judge.made import items_of, judgment

HEADS = ["L1H2", "L0H0"]


@pytest.fixture(scope="module")
def described(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of which the baseline described two heads."""
    out = tmp_path_factory.mktemp("judged") / "tiny"
    map_model(tiny_folder, out, progress=False)
    describe_heads(out, "rules", heads=HEADS, progress=False)
    return out


@pytest.fixture
def catalog(described: Path, tmp_path: Path) -> Path:
    return shutil.copytree(described, tmp_path / "catalog")


def items(catalog: Path) -> list[Item]:
    opened = open_catalog(catalog)
    said = opened.descriptions()
    heads = {one.head: opened.head(one.head) for one in said}
    made = items_of(said, heads)
    assert [task_of(i, heads[i.head], d, 1, 2, "ana").item for i, d in zip(made, said, strict=True)]
    return made


def judged(catalog: Path) -> list[tuple[Item, Judgment]]:
    """Two items and what was recorded of them, in the order they come out."""
    first, second = items(catalog)
    another = replace(first, llm="openai:another")
    edited = judgment(first, at=5.25, comment='=1+1,"\n␣', seconds=None)
    given = [
        *(judgment(first, at=2.0), edited, judgment(second, "ben", None)),
        judgment(second, "ana", pattern=False),
    ]
    with Ledger(catalog / LEDGER) as ledger:
        judgments = Judgments(ledger)
        judgments.add_items([first, second, another])
        judgments.record((one, {}) for one in given)
    return [(another, edited), (first, edited), (second, given[3]), (second, given[2])]


def test_the_last_answer_of_each_rater_by_head(catalog: Path) -> None:
    wanted = judged(catalog)
    assert [item.head for item, _ in wanted] == sorted(item.head for item, _ in wanted)
    assert open_catalog(catalog).judgments() == wanted


def test_the_table(catalog: Path) -> None:
    wanted = judged(catalog)
    table = open_catalog(catalog).table("judgments")
    assert table.schema.equals(JUDGMENT_TABLES["judgments"])
    rows = table.to_pylist()
    assert [row["llm"] for row in rows] == [item.llm for item, _ in wanted]
    assert [row["skipped"] for row in rows] == [False, False, False, True]
    item, given = wanted[0]
    assert rows[0] == {
        **{"layer": item.head.layer, "head": item.head.head, "llm": "openai:another"},
        **{"describer": "openai:another", "kind": "real", "key": item.key, "template": ""},
        **{"status": item.status, "item": item.id, "rater": "ana", "pattern": True},
        **{"precision": "accurate", "category": "semantic", "comment": given.comment},
        **{"skipped": False, "seconds": None, "at": datetime.fromtimestamp(5.25, UTC)},
    }
    assert len(open_catalog(catalog).frame("judgments")) == 4


def test_exported_in_every_format(catalog: Path, tmp_path: Path) -> None:
    judged(catalog)
    table = open_catalog(catalog).table("judgments")
    for to in ("parquet", "csv", "jsonl"):
        annotator.export(catalog, to=to, out=tmp_path / to, progress=False)
    read = pq.read_table(tmp_path / "parquet" / "judgments.parquet")
    columns = [name for name in table.schema.names if name != "rater"]  # who is R1, R2, ...
    assert sorted(map(str, read.select(columns).to_pylist())) == sorted(
        map(str, table.select(columns).to_pylist())
    )
    assert set(read["rater"].to_pylist()) == {"R1", "R2"}
    with (tmp_path / "csv" / "judgments.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    comments = [row["comment"].removeprefix("'") for row in rows]
    assert comments == read["comment"].to_pylist()
    lines = (tmp_path / "jsonl" / "judgments.jsonl").read_text(encoding="utf-8").split("\n")
    assert [json.loads(line)["item"] for line in lines if line] == read["item"].to_pylist()


def test_a_catalog_without_judgments_or_ledger(catalog: Path) -> None:
    assert open_catalog(catalog).judgments() == []
    (catalog / LEDGER).unlink()
    assert open_catalog(catalog).judgments() == []
    assert open_catalog(catalog).table("judgments").num_rows == 0
    assert not (catalog / LEDGER).exists()

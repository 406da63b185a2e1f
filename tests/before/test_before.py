"""A catalog and a ledger of before opens, prints and exports as it did, where nothing was wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import annotator
from annotator.catalog.descriptions import LEDGER
from annotator.catalog.read import open_catalog
from annotator.ledger.migrations import APPLICATION, LEDGER_VERSION
from tests.before.files import HERE, again, first
from tests.before.make import COMMANDS, EXPORTED, printed
from tests.commands import error_of, files_of
from tests.ledger.others import rows

NEW = {"descriptions": {"describer", "superseded"}}
NEW |= {"judgments": {"describer", "kind", "key", "template"}}


@pytest.fixture(autouse=True)
def width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("name", COMMANDS)
def test_it_is_printed_byte_for_byte(tmp_path: Path, name: str) -> None:
    catalog = first(tmp_path / "catalog")
    ledger = (catalog / LEDGER).read_bytes()
    wanted = (HERE / "printed" / f"{name}.txt").read_text("utf-8")
    assert printed(catalog, COMMANDS[name]) == wanted
    assert (catalog / LEDGER).read_bytes() == ledger, "reading writes nothing"


@pytest.mark.parametrize("written", [False, True])
def test_it_is_exported_as_before_with_more_columns(tmp_path: Path, written: bool) -> None:
    catalog = first(tmp_path / "catalog")
    if written:
        annotator.describe_heads(catalog, "rules", heads=["L0H0"], progress=False)
    annotator.export(catalog, "jsonl", tmp_path / "out", progress=False)
    for name in EXPORTED:
        before = lines(HERE / "exported" / f"{name}.jsonl")
        after = lines(tmp_path / "out" / f"{name}.jsonl")
        assert [
            {key: row[key] for key in old} for row, old in zip(after, before, strict=True)
        ] == before
        assert set(after[0]) - set(before[0]) == NEW.get(name, set())


def test_another_prompt_stands_beside_what_was_said_before(tmp_path: Path) -> None:
    catalog = again(tmp_path / "catalog")
    opened = open_catalog(catalog)
    said = opened.descriptions("L0H0")
    names = [one.describer for one in said]
    assert names == [one.shown for one in said][:2] + names[2:]
    assert [one.pattern for one in said] == ["the same parts", "their like", "y", None]
    shown = printed(catalog, "show CATALOG L0H0")
    assert all(f"says {name}" in shown for name in names[:2])
    assert "says openai:strong (2)\n" in shown
    assert "10.1.2.3" not in shown
    assert shown.count("a pattern is seen by 1 of 1 rater; 1 of 1 accept this") == 1
    assert shown.count("a pattern is seen by 1 of 1 rater; 0 of 1 accept this") == 1
    report = printed(catalog, f"judge report CATALOG --llm {names[0]}")
    assert report.replace(names[0], "openai:strong") == (
        (HERE / "printed" / "report-strong.txt").read_text("utf-8")
    )
    judged = {row["key"] for row in opened.table("judgments").to_pylist()}
    described = {row["key"] for row in opened.table("descriptions").to_pylist()}
    assert judged <= described


@pytest.mark.parametrize(
    "command", ["show CATALOG L0H0", "judge report CATALOG", "describe CATALOG"]
)
def test_a_ledger_of_a_later_annotator_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    catalog = first(tmp_path / "catalog")
    rows(catalog / LEDGER, f"PRAGMA application_id = {APPLICATION}")
    rows(catalog / LEDGER, f"PRAGMA user_version = {LEDGER_VERSION + 1}")
    before = files_of(catalog)
    more = ["--llm", "rules", "--all"] if command.startswith("describe") else []
    words = [str(catalog) if word == "CATALOG" else word for word in command.split()]
    said = error_of(capsys, *words, *more)
    assert f"it is of version {LEDGER_VERSION + 1}, and this annotator knows those up to" in said
    assert "Use the annotator that made it, or a later one; then run" in said
    assert files_of(catalog) == before

"""What was said of heads, in `show`, `descriptions`, frames and exports."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from annotator.catalog.descriptions import DESCRIPTIONS_SCHEMA, LEDGER
from annotator.catalog.read import open_catalog
from annotator.describe.outcome import (
    Described,
    Malformed,
    Outcome,
    Refused,
    Truncated,
    Unclear,
    fields_of,
)
from annotator.ledger.attempt_results import AttemptResult
from annotator.ledger.ledger import Ledger
from annotator.pipeline.describe import describe_heads
from annotator.records import HeadId
from tests.commands import error_of, text_of

Capture = pytest.CaptureFixture[str]
LLM, SHOWN = "openai:tiny@http://127.0.0.1:1/v1", "openai:tiny"
HOSTILE = "\x1b[31mred\x1b[0m\n\n[bold]not bold[/bold] \u202egnirts, =1+1\r\t\x00 | <b>"
OUTCOMES: dict[str, Outcome] = {
    "L0H0": Described("Capitals follow countries.", "countries", "their capitals", "semantic"),
    "L0H1": Described(HOSTILE, HOSTILE, HOSTILE, "general"),
    "L0H2": Unclear("Nothing recurs.", "unclear"),
    "L0H3": Refused("I would rather not"),
    "L1H0": Truncated(512),
    "L1H1": Malformed("category: Field required"),
}


@pytest.fixture
def told(catalog: Path) -> Path:
    """A catalog of whose heads six things are said by a language model, and all by the rules."""
    with Ledger(catalog / LEDGER) as ledger:
        for name, outcome in OUTCOMES.items():
            ledger.add(LLM, [(HeadId.parse(name), f"key of {name}", {"template": "abc"})])
            came = AttemptResult(outcome.kind, fields_of(outcome), "words", 100, 10, 1.5)
            ledger.record(ledger.begin(f"key of {name}", {}), came)
    describe_heads(catalog, "rules", progress=False)
    return catalog


def test_each_outcome_is_a_row_and_the_ledger_is_not_touched(told: Path) -> None:
    before = (told / LEDGER).read_bytes()
    said = {str(one.head): one for one in open_catalog(told).descriptions(llm=LLM)}
    assert said.keys() == OUTCOMES.keys()
    assert said["L0H0"].pattern == "their capitals"
    assert said["L0H1"].reasoning == said["L0H1"].inputs == HOSTILE
    assert (said["L0H2"].inputs, said["L0H2"].pattern, said["L0H2"].category) == (
        "unclear",
        None,
        None,
    )
    problems = ["I would rather not", "cut at 512 tokens", "category: Field required"]
    assert [said[head].problem for head in ("L0H3", "L1H0", "L1H1")] == problems
    assert {one.status for one in said.values()} == {one.kind for one in OUTCOMES.values()}
    assert {(one.tokens_in, one.tokens_out, one.template) for one in said.values()} == {
        (100, 10, "abc")
    }
    assert (told / LEDGER).read_bytes() == before


def test_a_head_is_shown_with_all_that_is_said_of_it(told: Path, capsys: Capture) -> None:
    shown = text_of(capsys, "show", told, "L0H0")
    assert f"semantic, says {SHOWN}\n" in shown
    assert "their capitals" in shown
    assert "says rules (baseline, no language model)" in shown
    assert shown.index("their capitals") < shown.index("promotes")
    assert "cut at 512 tokens" in text_of(capsys, "show", told, "L1H0")


@pytest.mark.parametrize("command", [("show", "L0H1"), ("descriptions",)])
def test_words_move_no_cursor_and_set_no_colour(
    told: Path, capsys: Capture, command: tuple[str, ...]
) -> None:
    shown = text_of(capsys, command[0], told, *command[1:])
    assert "[bold]not" in shown
    assert "\\x1b[31mred" in shown.replace("\n", "")
    assert not {"\x1b", "\u202e", "\r", "\x00"} & set(shown)


def test_the_list_is_by_language_model_and_says_which_is_none(told: Path, capsys: Capture) -> None:
    listed = text_of(capsys, "descriptions", told)
    assert listed.startswith(f"{SHOWN}\n")
    assert "rules (baseline, no language model)\n" in listed
    assert "6 heads: 2 described, 1 unclear, 1 refused, 1 truncated, 1 malformed; 600" in listed
    only = text_of(capsys, "descriptions", told, "--llm", "rules")
    assert SHOWN not in only
    assert "12 heads: " in only
    other = error_of(capsys, "descriptions", told, "--llm", "openai:x")
    assert "no head is described by openai:x; there are descriptions by openai:tiny#abc, " in other
    assert "127.0.0.1" not in listed + only + other


def test_a_catalog_of_which_nothing_is_said_yet(catalog: Path, capsys: Capture) -> None:
    assert "No head is described yet" in text_of(capsys, "descriptions", catalog)
    assert "says" not in text_of(capsys, "show", catalog, "L0H0")
    assert open_catalog(catalog).frame("descriptions").empty
    assert not (catalog / LEDGER).exists()


def of_jsonl(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def of_csv(path: Path) -> list[dict[str, object]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def of_parquet(path: Path) -> list[dict[str, object]]:
    assert (
        pq.read_schema(path).names[-len(DESCRIPTIONS_SCHEMA.names[2:]) :]
        == DESCRIPTIONS_SCHEMA.names[2:]
    )
    return pq.read_table(path).to_pylist()


@pytest.mark.parametrize(
    ("to", "read"), [("jsonl", of_jsonl), ("csv", of_csv), ("parquet", of_parquet)]
)
def test_exports_hold_every_word(
    told: Path, tmp_path: Path, capsys: Capture, to: str, read: Callable[[Path], list[dict]]
) -> None:
    text_of(capsys, "export", told, "--to", to, "--out", tmp_path)
    rows = read(tmp_path / f"descriptions.{to}")
    assert len(rows) == len(OUTCOMES) + 12
    assert {row["llm"] for row in rows} == {"openai:tiny", "rules"}, "no server"
    [hostile] = [row for row in rows if row["key"] == "key of L0H1"]
    assert hostile["pattern"] == hostile["reasoning"] == HOSTILE
    at = hostile["at"]
    at = at if isinstance(at, datetime) else datetime.fromisoformat(str(at))
    assert at.tzinfo is not None
    assert {str(row["baseline"]).lower() for row in rows if row["llm"] == "rules"} == {"true"}
    assert str(hostile["baseline"]).lower() == "false"
    [unclear] = [row for row in rows if row["key"] == "key of L0H2"]
    assert unclear["pattern"] in (None, "")


def test_a_ledger_that_is_none_is_named_and_kept(told: Path, capsys: Capture) -> None:
    (told / LEDGER).write_bytes(b"not a database at all, but somebody's notes")
    for command in ("show", "descriptions", "export"):
        more = {"show": ["L0H0"], "export": ["--to", "csv"]}.get(command, [])
        said = error_of(capsys, command, told, *more)
        assert f"the ledger {told / LEDGER} cannot be used: file is not a database" in said
        assert "if it is no ledger, move it away" in said
    assert (told / LEDGER).read_bytes().endswith(b"notes")

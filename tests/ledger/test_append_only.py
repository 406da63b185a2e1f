"""Nothing that was written down can be changed, by this code or by any other."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError

from annotator.ledger.attempt_results import LOST, AttemptResult
from annotator.ledger.judgments import Judgments
from annotator.ledger.ledger import Ledger
from annotator.ledger.tables import (
    ATTEMPTS,
    CLAIMS,
    DESCRIBERS,
    HEADS,
    ITEMS,
    JUDGMENTS,
    OUTCOMES,
    PROJECTS,
    REQUESTS,
    SCHEMA,
)
from tests.judge.made import item, judgment
from tests.ledger.others import ANSWER, FAILURE, HEAD, KEY, LLM, ask, rows

ITEM = item()
JUDGMENT = judgment(ITEM)
KEPT: dict[Any, dict[str, Any]] = {
    REQUESTS: {"content": {}},
    DESCRIBERS: {"name": "v2"},
    HEADS: {"layer": 0},
    ATTEMPTS: {"owner": "nobody:1:1:1"},
    OUTCOMES: {"kind": "failed"},
    ITEMS: {"status": "unclear"},
    PROJECTS: {"project": 0},
    JUDGMENTS: {"pattern": None},
}


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "ledger.db"
    with Ledger(path) as ledger:
        ask(ledger, KEY)
        judgments = Judgments(ledger)
        judgments.add_items([ITEM])
        judgments.add_project("http://127.0.0.1:8080", "ana", 1)
        judgments.record([(JUDGMENT, {})])
    before = dump(path)
    yield path
    assert dump(path) == before


def dump(where: Path) -> list[tuple[Any, ...]]:
    return [row for table in KEPT for row in rows(where, f"SELECT * FROM {table.name}")]


def test_every_table_but_the_claims_is_kept() -> None:
    assert {*KEPT, CLAIMS} == set(SCHEMA.tables.values())


@pytest.mark.parametrize("table", KEPT, ids=str)
def test_through_our_own_connections(where: Path, table: Any) -> None:
    with Ledger(where) as ledger:
        for change in (update(table).values(KEPT[table]), delete(table)):
            with (
                pytest.raises(IntegrityError, match=f"{table.name} are never changed"),
                ledger._engine.begin() as connection,
            ):
                connection.execute(change)


@pytest.mark.parametrize("table", KEPT, ids=str)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {0} SET {1} = {1}",
        "UPDATE OR REPLACE {0} SET {1} = 'x'",
        "DELETE FROM {0}",
        "REPLACE INTO {0} SELECT * FROM {0}",
        "INSERT OR REPLACE INTO {0} SELECT * FROM {0}",
        "INSERT INTO {0} SELECT * FROM {0} WHERE true ON CONFLICT DO UPDATE SET {1} = 'x'",
    ],
)
def test_through_plain_sqlite(where: Path, table: Any, statement: str) -> None:
    column = next(iter(KEPT[table]))
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        rows(where, statement.format(table.name, column))


def test_an_attempt_of_a_taken_number_does_not_replace_the_other(where: Path) -> None:
    values = "(id, key, number, parameters, owner, at) VALUES (99, ?, 1, '{}', 'x', 0)"
    with pytest.raises(sqlite3.IntegrityError):
        rows(where, f"INSERT OR REPLACE INTO attempts {values}", KEY)


def test_a_judgment_of_the_same_moment_does_not_replace_the_other(where: Path) -> None:
    columns = "(number, item, rater, annotation, comment, at, raw, recorded)"
    values = f"{columns} VALUES (99, 'x', '\"x\"', ?, '\"x\"', ?, '{{}}', 0)"
    for verb in ("INSERT", "INSERT OR REPLACE"):
        with pytest.raises(sqlite3.IntegrityError):
            rows(where, f"{verb} INTO judgments {values}", JUDGMENT.annotation, JUDGMENT.at)


@pytest.mark.parametrize("second", [replace(ANSWER, seconds=2.0), FAILURE, AttemptResult(LOST, {})])
def test_an_attempt_has_one_outcome(where: Path, second: AttemptResult) -> None:
    with Ledger(where) as ledger:
        ledger.record(1, ANSWER)  # the very same, once more
        with pytest.raises(ValueError, match="has its outcome already"):
            ledger.record(1, second)
        assert ledger.answers([KEY]) == {KEY: ANSWER}
        assert ledger.count() == 1


def test_a_request_keeps_its_first_content(where: Path) -> None:
    with Ledger(where) as ledger:
        ledger.add(LLM, [(HEAD, KEY, {"prompt": "another"})])


def test_opening_it_again_changes_nothing(where: Path) -> None:
    for _ in range(2):
        with Ledger(where) as ledger:
            assert ledger.sweep() == 0
            assert not ledger.claim(KEY), "it has its answer"

"""Of all that can forbid a row only the duplicate that is expected is passed over."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table
from sqlalchemy.exc import IntegrityError

from annotator.errors import LedgerUnusable, NameTaken
from annotator.ledger.inserting import insert_new
from annotator.ledger.judgments import Judgments
from annotator.ledger.ledger import Ledger
from annotator.records import Describer, HeadId
from tests.judge.made import item
from tests.ledger.others import ANSWER, HEAD, KEY, LLM, ask, key_of, rows

METADATA = MetaData()
OWNERS = Table("owners", METADATA, Column("id", Integer, primary_key=True))
NOTES = Table(
    "notes",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("text", String, nullable=False, unique=True),
    Column("owner", ForeignKey("owners.id")),
)
MADE = """CREATE TABLE notes (id INTEGER PRIMARY KEY, owner INTEGER REFERENCES owners (id),
text TEXT NOT NULL UNIQUE CHECK (text != 'bad'))"""
TRIGGER = """CREATE TRIGGER refuse BEFORE INSERT ON notes WHEN NEW.text = 'refused'
BEGIN SELECT RAISE(ABORT, 'refused'); END"""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    where = tmp_path / "ledger.db"
    with Ledger(where) as ledger:
        for statement in ("CREATE TABLE owners (id INTEGER PRIMARY KEY)", MADE, TRIGGER):
            rows(where, statement)
        yield ledger


def put(ledger: Ledger, **row: Any) -> bool:
    with ledger.writing() as connection:
        return insert_new(connection, NOTES, ["id"], [{"owner": None, **row}]) == 1


def test_a_duplicate_is_passed_over_and_the_first_stays(ledger: Ledger) -> None:
    assert put(ledger, id=1, text="first")
    assert not put(ledger, id=1, text="second")
    assert put(ledger, id=2, text="second")
    with ledger.reading() as connection:
        found = connection.exec_driver_sql("SELECT text FROM notes ORDER BY id").scalars()
        assert list(found) == ["first", "second"]


def test_of_many_rows_those_go_in_whose_key_is_new_and_the_first_of_each(ledger: Ledger) -> None:
    put(ledger, id=500, text="there")
    many = [{"id": i, "text": f"row {i}", "owner": None} for i in (*range(1000), 3, 500)]
    many.append({"id": 999, "text": "again", "owner": None})
    with ledger.writing() as connection:
        assert insert_new(connection, NOTES, ["id"], many) == 999
        assert insert_new(connection, NOTES, ["id"], many) == 0
        assert insert_new(connection, NOTES, ["id"], []) == 0
        found = connection.exec_driver_sql("SELECT id, text FROM notes ORDER BY id").all()
    wanted = [(i, "there" if i == 500 else f"row {i}") for i in range(1000)]
    assert [tuple(row) for row in found] == wanted


def test_many_rows_go_into_a_database_that_takes_few_values_at_once(ledger: Ledger) -> None:
    many = [item(f"L0H{i}") for i in range(1000)]
    with ledger.writing() as connection:
        driver: Any = connection.connection.driver_connection
        driver.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)  # of SQLite before 3.32
    assert Judgments(ledger).add_items(many) == 1000
    assert Judgments(ledger).add_items(many) == 0


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"text": None}, "NOT NULL constraint failed: notes.text"),
        ({"text": "first"}, "UNIQUE constraint failed: notes.text"),
        ({"text": "bad"}, "CHECK constraint failed"),
        ({"text": "x", "owner": 7}, "FOREIGN KEY constraint failed"),
        ({"text": "refused"}, "refused"),
    ],
)
def test_whatever_else_forbids_a_row_is_an_error(
    ledger: Ledger, row: dict[str, Any], why: str
) -> None:
    put(ledger, id=1, text="first")
    with pytest.raises(LedgerUnusable, match=why) as caught:
        put(ledger, id=2, **row)
    assert isinstance(caught.value.__cause__, IntegrityError)
    assert put(ledger, id=2, text="second"), "it can be used as before"


def refuse(ledger: Ledger, table: str, when: str) -> None:
    """Have the database refuse rows for a reason of its own."""
    refusing = f"BEFORE INSERT ON {table} WHEN {when} BEGIN SELECT RAISE(ABORT, 'too many'); END"
    rows(Path(ledger.where), f"CREATE TRIGGER strict {refusing}")


def test_no_paid_answer_is_lost_without_a_word(ledger: Ledger) -> None:
    attempt = ask(ledger, KEY, None)
    refuse(ledger, "outcomes", "NEW.tokens_in > 100")
    with pytest.raises(LedgerUnusable, match="too many"):
        ledger.record(attempt, ANSWER)
    rows(Path(ledger.where), "DROP TRIGGER strict")
    ledger.record(attempt, ANSWER)
    assert ledger.answers([KEY]) == {KEY: ANSWER}


def test_a_request_that_cannot_be_written_down_is_not_sent(ledger: Ledger) -> None:
    refuse(ledger, "requests", "true")
    with pytest.raises(LedgerUnusable, match="too many"):
        ledger.add(LLM, [(HEAD, KEY, {})])
    with pytest.raises(ValueError, match="no request"):
        ledger.begin(KEY, {})


def test_a_claim_that_cannot_be_written_down_is_nobodys(ledger: Ledger) -> None:
    ledger.add(LLM, [(HEAD, KEY, {})])
    refuse(ledger, "claims", "true")
    with pytest.raises(LedgerUnusable, match="too many"):
        ledger.claim(KEY)


def test_an_item_that_cannot_be_written_down_is_not_shown(ledger: Ledger) -> None:
    refuse(ledger, "items", "true")
    with pytest.raises(LedgerUnusable, match="too many"):
        Judgments(ledger).add_items([item()])
    assert Judgments(ledger).shown() == []


def test_a_name_stands_for_one_prompt_of_one_language_model(ledger: Ledger) -> None:
    first = {"template": "a" * 64}
    ledger.add(LLM, [(HEAD, key_of(1), first)], "v2")
    ledger.add(LLM, [(HeadId(0, 0), key_of(2), first)], "v2")
    ledger.add(LLM, [(HEAD, key_of(1), first)])
    for llm, template in ((LLM, "b" * 64), ("openai:other", "a" * 64)):
        with pytest.raises(NameTaken, match=f"--as v2 stands for {LLM}"):
            ledger.add(llm, [(HEAD, key_of(3), {"template": template})], "v2")
    ledger.record(ledger.begin(key_of(1), {}), ANSWER)
    assert [one.who for one in ledger.described()] == [
        Describer(LLM, "a" * 64, "v2"),
        Describer(LLM, "a" * 64),
    ], "asked once, under two names"
    assert ledger.count() == 1

"""What goes in comes out: any content, any reply, of the right head and request."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.ledger.attempt_results import FAILED, LOST, AttemptResult
from annotator.ledger.ledger import Ledger
from annotator.records import HeadId
from tests.ledger.others import ANSWER, FAILURE, HEAD, KEY, LLM, ask, described, key_of, rows

NUMBERS = count(1)
# Surrogates too: a server that cuts an emoji in its JSON escapes sends one half.
TEXTS = st.text(st.characters(exclude_categories=()), max_size=40)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
CONTENTS = st.dictionaries(TEXTS, VALUES, max_size=5)
OUTCOMES = st.builds(
    AttemptResult,
    kind=st.sampled_from(["described", "unclear", "refused", "truncated", "malformed"]),
    content=CONTENTS,
    reply=TEXTS,
    tokens_in=st.integers(0, 2**31 - 1),
    tokens_out=st.integers(0, 2**31 - 1),
    seconds=st.floats(0, 1e6),
)


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ledger") / "ledger.db"


@pytest.fixture(scope="module")
def shared(where: Path) -> Iterator[Ledger]:
    with Ledger(where) as ledger:
        yield ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as ledger:
        yield ledger


@settings(max_examples=30)
@given(came=OUTCOMES, content=CONTENTS, parameters=CONTENTS)
def test_round_trip(
    shared: Ledger,
    where: Path,
    came: AttemptResult,
    content: dict[str, Any],
    parameters: dict[str, Any],
) -> None:
    number = next(NUMBERS)
    key, head = key_of(number), HeadId(number, 0)
    shared.add(LLM, [(head, key, content)])
    attempt = shared.begin(key, parameters)
    shared.record(attempt, came)
    assert shared.answers([key]) == {key: came}
    with Ledger(where) as again:
        assert again.answers([key]) == {key: came}
        assert described(again)[head, LLM] == came


@pytest.mark.parametrize("reply", ["é" * 3_000_000, "\0", "\ud83d", "'; DROP TABLE outcomes; --"])
def test_a_reply_of_any_length_and_kind(ledger: Ledger, reply: str) -> None:
    ask(ledger, KEY, came := AttemptResult("malformed", {"problem": "no JSON"}, reply))
    assert ledger.answers([KEY])[KEY] == came


def test_a_request_and_its_attempts_are_kept_as_they_were_sent(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.add(LLM, [(HEAD, KEY, {"prompt": "Île\n", "schema": {"a": [1, None]}})])
        ledger.begin(KEY, {})
        ledger.begin(KEY, {"max_tokens": 900})
    query = "SELECT key, json_extract(content, '$.prompt'), content FROM requests"
    assert rows(tmp_path / "ledger.db", query)[0][:2] == (KEY, "Île\n")
    query = "SELECT number, parameters FROM attempts ORDER BY id"
    assert rows(tmp_path / "ledger.db", query) == [(1, "{}"), (2, '{"max_tokens": 900}')]


def test_only_an_answer_is_an_answer(ledger: Ledger) -> None:
    for number, kind in enumerate((FAILED, LOST, "unclear", "refused", "truncated", "malformed")):
        ask(ledger, key_of(number), AttemptResult(kind, {}))
        assert ledger.count(kind) == 1
    ledger.add(LLM, [(HEAD, key_of(9), {})])
    assert list(ledger.answers(map(key_of, (9, 3, 2, 1, 0, 3)))) == [key_of(3), key_of(2)]
    assert ledger.answers([]) == {}
    assert ledger.count() == 6


def test_an_answer_is_there_for_ever(ledger: Ledger) -> None:
    ask(ledger, KEY, FAILURE)
    assert ledger.answers([KEY]) == {}
    ask(ledger, KEY)
    for _ in range(3):
        ask(ledger, KEY, FAILURE)
    ask(ledger, KEY, None)
    assert ledger.answers([KEY]) == {KEY: ANSWER}
    assert described(ledger) == {(HEAD, LLM): ANSWER}


def test_what_was_cut_is_asked_again_under_the_same_key(ledger: Ledger) -> None:
    ask(ledger, KEY, AttemptResult("truncated", {"limit": 100}, final=False), max_tokens=100)
    ask(ledger, KEY, ANSWER, max_tokens=800)
    assert ledger.answers([KEY]) == {KEY: ANSWER}


def test_of_two_answers_the_first_that_was_recorded_stands(ledger: Ledger) -> None:
    """Two who could not see each other asked: nobody's answer changes under them."""
    first, second = ask(ledger, KEY, None), ask(ledger, KEY, None)
    ledger.record(second, ANSWER)
    ledger.record(first, AttemptResult("unclear", {"reasoning": "late"}))
    assert ledger.answers([KEY]) == {KEY: ANSWER}
    assert described(ledger) == {(HEAD, LLM): ANSWER}
    assert ledger.count("unclear") == 1


def test_an_answer_that_is_asked_for_once_more_is_no_answer_yet(ledger: Ledger) -> None:
    cut = AttemptResult("truncated", {"limit": 100}, final=False)
    ask(ledger, KEY, cut)
    assert ledger.answers([KEY]) == {}
    assert described(ledger) == {}
    assert ledger.claim(KEY)
    ask(ledger, KEY, AttemptResult("truncated", {"limit": 200}))
    assert ledger.answers([KEY])[KEY].content == {"limit": 200}
    assert not ledger.claim(KEY)


def test_a_second_asking_that_fails_for_good_leaves_the_first_answer(ledger: Ledger) -> None:
    cut = AttemptResult("truncated", {"limit": 100}, final=False)
    ask(ledger, KEY, cut)
    ask(ledger, KEY, AttemptResult("failed", {"problem": "overloaded"}, final=False))
    assert ledger.answers([KEY]) == {}
    ask(ledger, KEY, AttemptResult("failed", {"problem": "so many tokens do not fit"}, final=True))
    assert ledger.answers([KEY]) == {KEY: cut}
    assert described(ledger) == {(HEAD, LLM): cut}
    assert not ledger.claim(KEY)


def test_what_was_spent_on_a_head_is_the_sum_of_all_its_attempts(ledger: Ledger) -> None:
    ledger.add(LLM, [(HEAD, KEY, {"template": "abc"})])
    for came in (
        AttemptResult("truncated", {}, tokens_in=10, tokens_out=5, final=False),
        FAILURE,
        AttemptResult("described", {}, tokens_in=10, tokens_out=7),
    ):
        ledger.record(ledger.begin(KEY, {}), came)
    [head] = ledger.described()
    assert (head.tokens_in, head.tokens_out, head.key) == (20, 12, KEY)
    assert head.request == {"template": "abc"}
    assert head.came.tokens_out == 7
    assert head.at > 1_700_000_000


def test_more_keys_than_a_statement_can_hold(ledger: Ledger) -> None:
    """999 values, in an old SQLite."""
    with ledger._engine.connect() as connection:
        sqlite = connection.connection.dbapi_connection
        assert isinstance(sqlite, sqlite3.Connection)
        sqlite.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)
    ask(ledger, key_of(0))
    ask(ledger, key_of(1999))
    found = ledger.answers(map(key_of, range(2000)))
    assert found == dict.fromkeys(map(key_of, (0, 1999)), ANSWER)


def test_several_heads_share_a_request(ledger: Ledger) -> None:
    twins = [HeadId(0, 1), HeadId(2, 3), HeadId(4, 5)]
    for head in twins:
        ledger.add(LLM, [(head, KEY, {})])
    ledger.record(ledger.begin(KEY, {}), ANSWER)
    assert described(ledger) == {(head, LLM): ANSWER for head in twins}
    assert ledger.count() == 1


def test_the_last_request_of_a_head_counts(ledger: Ledger) -> None:
    first, second = AttemptResult("unclear", {"n": 1}), AttemptResult("described", {"n": 2})
    ask(ledger, key_of(1), first)
    ledger.add(LLM, [(HEAD, key_of(2), {})])
    assert described(ledger) == {(HEAD, LLM): first}, "the other has no answer yet"
    ask(ledger, key_of(2), second)
    assert described(ledger) == {(HEAD, LLM): second}
    ledger.add(LLM, [(HEAD, key_of(1), {})])
    assert described(ledger) == {(HEAD, LLM): first}, "the first was asked for once more"
    assert ledger.count() == 2


def test_of_a_head_that_is_added_twice_at_once_the_last_request_counts(ledger: Ledger) -> None:
    twice = [(HEAD, key_of(1), {}), (HEAD, key_of(2), {})]
    many = [(HeadId(0, i), key_of(10 + i), {"n": i}) for i in range(1000)]
    ledger.add(LLM, [*twice, *many])
    ledger.add(LLM, [*many, twice[1]])
    assert rows(Path(ledger.where), "SELECT COUNT(*) FROM heads") == [(1002,)]
    for key in (1, 2):
        ledger.record(ledger.begin(key_of(key), {}), replace(ANSWER, content={"of": key}))
    assert described(ledger) == {(HEAD, LLM): replace(ANSWER, content={"of": 2})}
    ledger.add(LLM, twice[:1])
    assert described(ledger) == {(HEAD, LLM): replace(ANSWER, content={"of": 1})}


def test_adding_again_adds_nothing(tmp_path: Path) -> None:
    for _ in range(3):
        with Ledger(tmp_path / "ledger.db") as ledger:
            ledger.add(LLM, [(HEAD, KEY, {})])
            ledger.add(LLM, [(HeadId(0, 0), KEY, {})])
    assert rows(tmp_path / "ledger.db", "SELECT COUNT(*) FROM requests") == [(1,)]
    assert rows(tmp_path / "ledger.db", "SELECT COUNT(*) FROM heads") == [(2,)]


def test_each_llm_describes_for_itself(ledger: Ledger) -> None:
    other = AttemptResult("unclear", {})
    ask(ledger, KEY)
    ledger.add("rules", [(HEAD, key_of(1), {})])
    ledger.record(ledger.begin(key_of(1), {}), other)
    assert described(ledger) == {(HEAD, LLM): ANSWER, (HEAD, "rules"): other}


def test_what_was_not_added_is_not_begun(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="no request 00ff was added"):
        ledger.begin("00ff", {})
    with pytest.raises(ValueError, match="attempt 7 was not begun"):
        ledger.record(7, ANSWER)
    assert ledger.count() == 0


def test_sqlite_is_set_up_for_what_is_precious(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger, ledger._engine.connect() as connection:
        names = ("journal_mode", "synchronous", "foreign_keys")
        settings = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]
        assert settings == ["wal", 2, 1]
        assert (tmp_path / "ledger.db-wal").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.db"], "all of it is in one file"
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert plain.execute("PRAGMA journal_mode").fetchall() == [("wal",)]

"""Items, projects and judgments: added once, never changed, the last answer counts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.ledger.judgments import Judgments, RecordCounts
from annotator.ledger.ledger import Ledger
from annotator.records import Describer, Item, Judgment
from tests.judge.made import item, judgment
from tests.ledger.others import ANSWER, KEY, Other, ask, rows

FIRST, SECOND = item(), item("L1H2", "unclear")
RAW = {"id": 1, "result": [{"value": {"text": ["\ud800 é"]}}]}
RECORDING = """
from annotator.ledger.judgments import Judgments
from annotator.records import Judgment

with Ledger(where) as ledger:
    judgments = Judgments(ledger)
    say("ready")
    wait()
    made = [Judgment(*one) for one in given]
    counts = judgments.record((one, {"n": n}) for n, one in enumerate(made))
    say([counts.new, counts.edited, counts.unchanged])
    wait()
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as made:
        yield made


@pytest.fixture
def judgments(ledger: Ledger) -> Judgments:
    made = Judgments(ledger)
    made.add_items([FIRST, SECOND])
    return made


def put(judgments: Judgments, *given: Judgment) -> RecordCounts:
    return judgments.record((one, RAW) for one in given)


def test_items_are_added_once(judgments: Judgments) -> None:
    third = item("L9H9")
    assert judgments.add_items([SECOND, third, third, FIRST]) == 1
    assert judgments.shown() == [FIRST, SECOND, third]


def test_a_describer_who_says_the_same_again_is_taken_at_the_last_word(
    judgments: Judgments,
) -> None:
    again = replace(FIRST, key="another request")
    assert judgments.add_items([again]) == 1
    assert judgments.add_items([again, FIRST]) == 0
    assert judgments.items() == {FIRST.id: again, SECOND.id: SECOND}
    assert judgments.shown() == [again, SECOND]


def test_an_item_of_two_language_models(judgments: Judgments) -> None:
    other = replace(FIRST, llm="anthropic:another")
    assert judgments.add_items([other]) == 1
    assert judgments.shown() == [FIRST, SECOND, other]
    assert judgments.items() == {FIRST.id: FIRST, SECOND.id: SECOND}
    assert judgments.items(other.who) == {FIRST.id: other}
    assert judgments.items(Describer("nobody", "")) == {}


def test_an_item_of_two_prompts_and_of_two_names(judgments: Judgments) -> None:
    prompt = replace(FIRST, key="k", template="b" * 64)
    named = replace(FIRST, name="v2")
    assert judgments.add_items([prompt, named]) == 2
    assert judgments.shown() == [FIRST, SECOND, prompt, named]
    assert judgments.items(named.who) == {FIRST.id: named}


def test_a_raters_last_project_on_a_server_counts(judgments: Judgments) -> None:
    here, there = "http://127.0.0.1:8080", "https://studio.example.org/label"
    assert judgments.project(here, "ana") is None
    judgments.add_project(here, "ana", 1)
    judgments.add_project(here, "ben", 2)
    judgments.add_project(there + "/", "ana", 1)
    judgments.add_project(here, "ana", 7)
    assert [judgments.project(here, rater) for rater in ("ana", "ben", "eve")] == [7, 2, None]
    assert judgments.project(there, "ana") == judgments.project(there + "//", "ana") == 1
    assert [(p.url, p.rater, p.project) for p in judgments.projects()] == [
        (here, "ana", 1), (here, "ben", 2), (there, "ana", 1), (here, "ana", 7),
    ]  # fmt: skip


def test_a_password_in_a_url_is_not_kept(judgments: Judgments, tmp_path: Path) -> None:
    secret = "https://me:s3cret@studio.example.org/?token=s3cret#s3cret"
    judgments.add_project(secret, "ana", 3)
    assert judgments.project(secret, "ana") == 3
    assert judgments.project("https://studio.example.org", "ana") == 3
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"s3cret" not in kept


def test_recorded_twice_changes_nothing(judgments: Judgments, tmp_path: Path) -> None:
    given = [judgment(FIRST), judgment(SECOND, pattern=False), judgment(FIRST, "ben", None)]
    assert put(judgments, *given) == RecordCounts(new=3)
    before = rows(tmp_path / "ledger.db", "SELECT * FROM judgments")
    assert put(judgments, *given) == RecordCounts(unchanged=3)
    assert put(judgments, *given, *given[::-1]) == RecordCounts(unchanged=6)
    assert rows(tmp_path / "ledger.db", "SELECT * FROM judgments") == before
    assert judgments.all() == given


def test_an_edit_is_kept_beside_what_was_there(judgments: Judgments) -> None:
    first = judgment(FIRST)
    edited = replace(first, pattern=False, precision=None, category=None, at=2.0, seconds=14.0)
    again = replace(first, at=3.0)
    assert put(judgments, first) == RecordCounts(new=1)
    assert put(judgments, edited) == RecordCounts(edited=1)
    assert judgments.last() == [edited]
    assert put(judgments, again, first) == RecordCounts(edited=1, unchanged=1)
    assert judgments.all() == [first, edited, again]
    assert judgments.last() == [again]


def test_a_server_that_touched_an_answer_did_not_edit_it(judgments: Judgments) -> None:
    put(judgments, judgment(FIRST))
    assert put(judgments, judgment(FIRST, at=5.0)) == RecordCounts(unchanged=1)
    assert judgments.all() == [judgment(FIRST)]


def test_of_two_answers_by_one_rater_the_later_counts(judgments: Judgments) -> None:
    late = judgment(FIRST, annotation="second", pattern=False, at=9.0)
    early = judgment(FIRST, annotation="first", at=4.0)
    assert put(judgments, late, early, judgment(FIRST, "ben")) == RecordCounts(new=3)
    assert judgments.last() == [late, judgment(FIRST, "ben")]


def test_an_answer_to_what_was_not_asked(judgments: Judgments) -> None:
    with pytest.raises(ValueError, match="no item"):
        put(judgments, judgment(FIRST), judgment("0123456789abcdef"))
    assert judgments.all() == []


def test_everything_comes_back_as_it_went_in(judgments: Judgments, tmp_path: Path) -> None:
    odd = judgment(FIRST, "Zoë \x00", None, comment="é\n\x00", seconds=None, at=1.1)
    put(judgments, odd)
    assert judgments.all() == [odd]
    ((raw,),) = rows(tmp_path / "ledger.db", "SELECT raw FROM judgments")
    assert '"\\ud800 \\u00e9"' in raw


def test_categories_are_the_language_models_own(ledger: Ledger, judgments: Judgments) -> None:
    ask(ledger, KEY, replace(ANSWER, content={"pattern": "p", "category": "language"}))
    ask(ledger, "unclear", replace(ANSWER, kind="unclear", content={"inputs": "i"}))
    of = [replace(FIRST, key=KEY), replace(SECOND, key="unclear"), replace(FIRST, id="0" * 16)]
    assert judgments.categories(of) == {KEY: "language"}


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.builds(
            judgment,
            st.sampled_from([FIRST, SECOND]),
            st.sampled_from(["ana", "ben"]),
            st.sampled_from([True, False, None]),
            annotation=st.sampled_from("abc"),
            at=st.sampled_from([1.0, 2.0, 3.0]),
        )
    )
)
def test_any_answers_in_any_order_are_there_once(given: list[Judgment]) -> None:
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "ledger.db") as ledger:
        judgments = Judgments(ledger)
        judgments.add_items([FIRST, SECOND])
        counts = put(judgments, *given)
        recorded = counts.new + counts.edited + counts.unchanged
        assert recorded + len(counts.clashing) == len(given)
        assert counts.new == len({one.annotation for one in given})
        kept = judgments.all()
        assert len({(one.annotation, one.at) for one in kept}) == len(kept)
        assert len(kept) == counts.new + counts.edited
        last = judgments.last()
        assert len({(one.item, one.rater) for one in last}) == len(last)
        assert put(judgments, *kept) == RecordCounts(unchanged=len(kept))
        assert (judgments.all(), judgments.last()) == (kept, last)


def test_an_id_that_is_another_answers_is_not_taken_for_an_edit(judgments: Judgments) -> None:
    judgments.add_items([FIRST, SECOND])
    first = judgment(FIRST)
    others = (replace(first, item=SECOND.id), replace(first, rater="ben"))
    assert put(judgments, first, *others) == RecordCounts(new=1, clashing=others)
    assert judgments.all() == [first]


def test_two_who_record_the_same_at_once(judgments: Judgments, tmp_path: Path) -> None:
    def listed(one: Judgment) -> list[Any]:
        return [getattr(one, name) for name in one.__slots__]

    given = [listed(judgment(FIRST, f"rater {n}")) for n in range(50)]
    where = tmp_path / "ledger.db"
    with Other(RECORDING, where, given) as one, Other(RECORDING, where, given) as other:
        assert [one.hear(), other.hear()] == ["ready", "ready"]
        one.go_on()
        other.go_on()
        assert sorted([one.hear(), other.hear()]) == [[0, 0, 50], [50, 0, 0]]
    assert len(judgments.all()) == 50


def test_killed_before_the_end_none_is_there(judgments: Judgments, tmp_path: Path) -> None:
    code = RECORDING.replace("for n, one in enumerate(made)", "for n, one in stop(made)")
    stop = """
def stop(made):
    for n, one in enumerate(made):
        if n == 1:
            say("midway")
            wait()
        yield n, one
"""
    one = judgment(FIRST)
    given = [[getattr(one, n) for n in one.__slots__], [getattr(one, n) for n in one.__slots__]]
    with Other(stop + code, tmp_path / "ledger.db", given) as other:
        assert other.hear() == "ready"
        other.go_on()
        assert other.hear() == "midway"
        other.kill()
    assert judgments.all() == []
    assert put(judgments, one) == RecordCounts(new=1)


def test_items_of_any_kind_come_back(judgments: Judgments) -> None:
    made: list[Item] = [item(f"L{n}H{n}", s) for n in range(3) for s in ("described", "unclear")]
    judgments.add_items(made)
    assert list(judgments.items().values()) == list(dict.fromkeys([FIRST, SECOND, *made]))

"""What comes back of Label Studio: a real export, and exports with something wrong in them."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_studio_sdk.label_interface.interface import LabelInterface

from annotator.errors import StudyForeign
from annotator.label_studio.answers import CHOICES, ExportAnswers, read_export
from annotator.label_studio.task import screen
from annotator.records import Item, Judgment
from tests.judge.made import item
from tests.judge.record_export import FILE, STATUSES, answer, region

REAL: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
MADE = [item(f"L{number}H0", status) for number, status in enumerate(STATUSES)]
ITEMS: dict[str, Item] = {one.id: one for one in MADE}
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["choices", "text", "from_name", "value"]), inner)
    ),
    max_leaves=5,
)


def read(tasks: Any) -> ExportAnswers:
    return read_export(tasks, "export.json", ITEMS)


def task(*results: Any, of: Item = MADE[0], **annotation: Any) -> dict[str, Any]:
    """A task with an annotation for each list of answers."""
    made = [
        {
            **{"id": n, "unique_id": f"an-id-{n}", "result": result, "was_cancelled": False},
            **{"updated_at": f"2026-01-01T00:00:0{n}.5Z", "lead_time": 1.5, **annotation},
        }
        for n, result in enumerate(results)
    ]
    data = {"item": of.id, "rater": "ana", "title": "Item 1 of 6"}
    return {"id": 7, "data": data, "annotations": made}


def problem(*result: Any, **annotation: Any) -> str:
    """Why this answer is not taken, while another one is."""
    taken = read([task(list(result), **annotation), task(answer("no"), of=MADE[1])])
    assert [one.item for one in taken.judgments] == [MADE[1].id]
    (said,) = taken.problems
    where, _, what = said.partition(": ")
    assert where == "rater ana, task 7 (Item 1 of 6)"
    return what


def test_a_real_export() -> None:
    taken = read(REAL)
    assert taken.problems == []
    found = {MADE.index(ITEMS[one.item]): one for one in taken.judgments}
    assert {one.rater for one in taken.judgments} == {"ana"}
    assert (found[0].pattern, found[0].precision, found[0].category) == (
        True, "accurate", "semantic",
    )  # fmt: skip
    assert (found[0].comment, found[0].seconds) == ("Cuba\nis missing", 12.5)
    assert (found[1].precision, found[1].seconds) == ("partial", 9.0)  # as edited
    assert (found[2].skipped, found[2].precision, found[2].seconds) == (True, None, 1.0)
    assert (found[3].pattern, found[3].precision) == (True, "poor")  # of an abstention
    assert 5 not in found  # not answered
    assert [one.pattern for one in taken.judgments if one.item == MADE[4].id] == [False, True]
    raw = [annotation for task in REAL for annotation in task["annotations"]]
    assert [came for _, came in taken.answers] == raw
    assert [one.annotation for one in taken.judgments] == [one["unique_id"] for one in raw]
    assert len({one.annotation for one in taken.judgments}) == 6
    assert all(1.7e9 < one.at < 2e9 for one in taken.judgments)


def test_a_task_answered_twice_is_told_and_both_are_kept() -> None:
    (said,) = read(REAL).twice
    assert said == (
        "rater ana, task 5 (Item 5 of 6): answered 2 times; all are kept, the last one counts"
    )
    doubled = [task(answer("no")), task(answer("yes", "poor", "general"), unique_id="another")]
    taken = read(doubled)
    assert len(taken.twice) == 1
    assert [one.pattern for one in taken.judgments] == [False, True]


def test_the_same_item_of_two_raters_is_not_twice() -> None:
    second = task(answer("no"))
    second["data"]["rater"] = "ben"
    assert read([task(answer("no")), second]).twice == []


def test_an_answer_in_full() -> None:
    (one,) = read([task(answer("yes", "scope", "general", comment="c"))]).judgments
    assert one == Judgment(
        MADE[0].id, "ana", "an-id-0", True, "scope", "general", "c", 1.5, 1767225600.5
    )


@pytest.mark.parametrize("result", [[], answer("yes"), [region("pattern", "bogus")], None])
def test_a_skip_is_one_whatever_was_answered_before_it(result: Any) -> None:
    taken = read([task(result, was_cancelled=True)])
    assert [one.skipped for one in taken.judgments] == [True]
    assert (taken.judgments[0].precision, taken.judgments[0].comment) == (None, "")


def test_a_comment_is_what_can_be_written_down() -> None:
    (one,) = read([task([*answer("no"), region("comment", " a\ud800 ", "b")])]).judgments
    assert one.comment == "a? \nb"


def test_hidden_answers_do_not_count() -> None:
    """Where a rater goes back to question 1 and says no."""
    (one,) = read([task(answer("no", "accurate", "semantic", comment="odd"))]).judgments
    assert (one.pattern, one.precision, one.category, one.comment) == (False, None, None, "odd")


@pytest.mark.parametrize(
    ("result", "what"),
    [
        ([], "question 1 (pattern) has no answer"),
        (
            answer("yes"),
            "question 2 (precision) has no answer; question 3 (category) has no answer",
        ),
        (answer("yes", "accurate"), "question 3 (category) has no answer"),
        ([region("comment", "only words")], "question 1 (pattern) has no answer"),
        ([region("pattern")], "question 1 (pattern) has no answer"),
        ([region("pattern", "yes", "no")], "question 1 (pattern) has 2 answers: yes, no"),
        ([*answer("yes"), *answer("no")], "question 1 (pattern) has 2 answers: yes, no"),
        (
            [*answer("yes", "scope", "general"), region("category", "language")],
            "question 3 (category) has 2 answers: general, language",
        ),
    ],
)
def test_a_required_answer_that_is_missing_or_there_twice(result: Any, what: str) -> None:
    assert problem(*result) == what


@pytest.mark.parametrize(
    ("result", "what"),
    [
        ([region("pattern", "Yes")], "question 1 (pattern) has no choice 'Yes', but yes, no"),
        (
            answer("yes", "perfect", "general"),
            "question 2 (precision) has no choice 'perfect', but accurate, scope, partial, poor",
        ),
        (
            [region("pattern", "no"), region("category", "odd", "odder")],
            "question 3 (category) has no choice 'odd', 'odder', but semantic, language, general, "
            "unnatural",
        ),
        (
            [region("comment"), region("choice", "yes")],
            "result, #2, from_name: it should be 'pattern', 'precision', 'category' or 'comment'",
        ),
        (["yes"], "result, #1: it is not a JSON object"),
        (
            [{**region("pattern", "yes"), "type": None}],
            "result, #1, type: it should be 'choices' or 'textarea'",
        ),
    ],
)
def test_a_choice_or_question_that_does_not_exist(result: Any, what: str) -> None:
    assert problem(*result) == what


def test_all_that_is_wrong_with_the_form_of_answers_is_told() -> None:
    wrong = {"to_name": "elsewhere", "value": {"choices": "yes"}}
    assert problem({**region("pattern"), **wrong}, {**region("comment"), "value": {"text": 3}}) == (
        "result, #1, to_name: it should be 'mappings'; "
        "result, #1, value, choices: it is not a JSON list; "
        "result, #2, value, text: it is not a JSON list"
    )
    assert problem({"from_name": "pattern", "to_name": "mappings"}) == (
        "result, #1, type: Field required; result, #1, value: Field required"
    )


def test_the_choices_are_the_screens() -> None:
    interface = LabelInterface(screen())
    for name, known in CHOICES.items():
        assert tuple(interface.get_control(name).labels) == known
    real = [one for task in REAL for given in task["annotations"] for one in given["result"]]
    assert all(interface.validate_region(one) for one in real)
    assert {one["from_name"] for one in real} == {*CHOICES, "comment"}


@pytest.mark.parametrize("at", [None, "", "yesterday", 5, "0001-01-01T00:00:00"])
def test_an_answer_without_a_time(at: Any) -> None:
    assert problem(*answer("no"), updated_at=at) == "it has no time"


def test_an_answer_without_an_id_or_list() -> None:
    assert problem(*answer("no"), id=None) == "it has no id"
    assert problem(result=None) == "result: it is not a JSON list"


@pytest.mark.parametrize("seconds", [None, math.nan, math.inf, -math.inf, -1.0, "3", []])
def test_time_that_is_not_known(seconds: Any) -> None:
    (one,) = read([task(answer("no"), lead_time=seconds)]).judgments
    assert one.seconds is None


@pytest.mark.parametrize("unique", [None, "", "a b", "x" * 65, 7, "\ud800"])
def test_an_answer_without_an_id_of_its_own_is_known_again(unique: Any) -> None:
    (one,) = read([task(answer("no"), unique_id=unique)]).judgments
    (again,) = read([task(answer("yes", "poor", "general"), unique_id=unique)]).judgments
    (other,) = read([task(answer("no"), unique_id=unique, id=99)]).judgments
    assert one.annotation == again.annotation != other.annotation
    assert one.annotation.isascii()


@pytest.mark.parametrize(
    ("tasks", "why"),
    [
        ({"tasks": []}, "no list of tasks"),
        ("<html>", "no list of tasks"),
        (None, "no list of tasks"),
        (
            [task(), 1],
            r"no list of tasks with data and annotations \(#2: it is not a JSON object\)",
        ),
        ([{"id": 1, "item": MADE[0].id, "pattern": "yes"}], "neither as JSON-MIN"),
        ([{"data": {"item": MADE[0].id, "rater": "ana"}}], "#1, annotations: Field required"),
        ([{"data": [], "annotations": []}], "#1, data: it is not a JSON object"),
        (
            [{"data": {"item": []}, "annotations": []}],
            "#1, data, item: it should be an instance of",
        ),
        ([{"data": {}, "annotations": [None]}], "#1, annotations, #1: it is not a JSON object"),
    ],
)
def test_a_file_that_is_no_export(tasks: Any, why: str) -> None:
    with pytest.raises(StudyForeign, match=why) as caught:
        read(tasks)
    assert "export.json" in str(caught.value)


def changed(change: Callable[[dict[str, Any]], Any]) -> list[dict[str, Any]]:
    """The real export, with its second task changed."""
    tasks = copy.deepcopy(REAL)
    change(tasks[1])
    return tasks


def test_an_export_of_another_catalog() -> None:
    other = item("L40H0")
    with pytest.raises(StudyForeign, match="6 of its 6 tasks, the first 1, are not of an item"):
        read_export(REAL, "export.json", {other.id: other})
    with pytest.raises(StudyForeign, match="1 of its 6 tasks, the first 2"):
        read(changed(lambda task: task["data"].update(item="0123456789abcdef")))
    with pytest.raises(StudyForeign, match="1 of its 6 tasks"):
        read(changed(lambda task: task["data"].pop("item")))
    with pytest.raises(StudyForeign, match="1 of its 6 tasks, the first 2, are not of an item"):
        read(changed(lambda task: task["data"].pop("rater")))


def test_an_export_without_answers() -> None:
    assert read([]) == ExportAnswers([], [], [])
    assert read([task()]) == ExportAnswers([], [], [])


@settings(deadline=None)
@given(
    st.lists(
        JSON
        | st.fixed_dictionaries(
            {
                "from_name": st.sampled_from(["pattern", "precision", "comment"]) | JSON,
                "to_name": st.just("mappings") | JSON,
                "type": st.sampled_from(["choices", "textarea"]) | JSON,
                "value": st.just({"choices": ["yes"]}) | JSON,
            }
        ),
        max_size=3,
    )
    | JSON,
    st.dictionaries(st.sampled_from(["lead_time", "unique_id", "updated_at", "id"]), JSON),
)
def test_whatever_stands_in_an_annotation_is_taken_or_told(result: Any, fields: Any) -> None:
    taken = read([task(result, **fields)])
    assert len(taken.judgments) + len(taken.problems) == 1


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "?"])
def test_a_moment_that_could_not_be_written_out_again_is_none(moment: str) -> None:
    tasks = json.loads(FILE.read_text(encoding="utf-8"))[:1]
    tasks[0]["annotations"][0]["updated_at"] = moment
    taken = read_export(tasks, "export.json", ITEMS)
    assert taken.answers == []
    assert ["it has no time" in problem for problem in taken.problems] == [True]


@pytest.mark.parametrize("seconds", [10**400, float("nan"), -1, "7", None])
def test_time_that_nobody_spent_is_not_known(seconds: object) -> None:
    tasks = json.loads(FILE.read_text(encoding="utf-8"))[:1]
    tasks[0]["annotations"][0]["lead_time"] = seconds
    [judgment] = read_export(tasks, "export.json", ITEMS).judgments
    assert judgment.seconds is None


def test_what_a_file_says_moves_no_cursor() -> None:
    tasks = json.loads(FILE.read_text(encoding="utf-8"))[:1]
    tasks[0]["data"]["title"] = "\x1b]0;owned\x07"
    tasks[0]["annotations"][0]["result"][0]["value"]["choices"] = ["\x1b[31m"]
    [problem] = read_export(tasks, "export.json", ITEMS).problems
    assert "\x1b" not in problem
    assert "owned" in problem

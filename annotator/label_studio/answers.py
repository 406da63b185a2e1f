"""What raters answered, out of Label Studio's JSON export.

The server checks nothing of an answer, so all of it is checked here. A skip is an annotation that
was cancelled; it may hold what was chosen before, which does not count. Where question 1 is
answered with no, neither do answers to the hidden questions.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, InstanceOf

from annotator.describe.evidence import plain
from annotator.errors import StudyForeign
from annotator.json_file import JsonInvalid, checked
from annotator.label_studio.task import is_pseudonym
from annotator.records import CATEGORIES, PRECISIONS, Item, Judgment

CHOICES = {"pattern": ("yes", "no"), "precision": tuple(PRECISIONS), "category": CATEGORIES}
"""What can be chosen on the screen, by question, in its order."""
LONGEST_SECONDS = 1e9
"""Seconds on an answer above which nobody counted them: thirty years."""
_UNIQUE = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
_Json = Mapping[str, Any]


class _Data(BaseModel):
    item: InstanceOf[str] = ""
    rater: Any = None
    title: Any = None


class _Task(BaseModel):
    """As much of a task as is read; what others made may hold anything else."""

    id: Any = None
    data: _Data
    annotations: list[dict[Any, Any]]


class _Value(BaseModel):
    choices: list[InstanceOf[str]] = []
    text: list[InstanceOf[str]] = []


class _Region(BaseModel):
    """An answer to a question, or a comment; half a character of a text is one too."""

    from_name: Literal["pattern", "precision", "category", "comment"]
    to_name: Literal["mappings"]
    type: Literal["choices", "textarea"]
    value: _Value


class _Answered(BaseModel):
    result: list[_Region]


@dataclass(frozen=True)
class ExportAnswers:
    """What an export holds.

    Attributes:
        answers: of each answer the judgment, and Label Studio's annotation as it came.
        problems: answers that cannot be taken, a line each.
        twice: items that a rater answered more than once, a line each; all of the answers are
            taken, and the last one counts.
    """

    answers: list[tuple[Judgment, _Json]]
    problems: list[str]
    twice: list[str]

    @property
    def judgments(self) -> list[Judgment]:
        """The judgments alone."""
        return [judgment for judgment, _ in self.answers]


def read_export(
    tasks: Any,
    where: str,
    items: Mapping[str, Item],
    rater: str | None = None,
    user: int | None = None,
) -> ExportAnswers:
    """The judgments in an export.

    A rater is one user of the server: what another user answered in the rater's place, by a wrong
    link say, is a problem and not taken.

    Args:
        tasks: the export, as JSON gives it.
        where: the file or project, for messages.
        items: the catalog's items by id.
        rater: of a rater's own project; tasks in it that are none of the rater's are problems.
            None: of a file, every task of which must be of an item and a rater.
        user: the server's number of the rater; by default who answered first.

    Raises:
        StudyForeign: it is no JSON export of Label Studio's, or a file of another catalog's items.
    """
    ours, problems = _tasks(tasks, where, items, rater)
    users = {rater: user} if rater is not None and user is not None else _first_users(ours)
    answers: list[tuple[Judgment, _Json]] = []
    for task in ours:
        for annotation in task.annotations:
            wrong = _stranger(task, annotation, users) or _wrong(annotation)
            if wrong:
                problems.append(f"{_named(task)}: {plain('; '.join(wrong))}")
            else:
                answers.append((_judgment(task.data, annotation), annotation))
    return ExportAnswers(answers, problems, list(_twice(ours, answers)))


def _tasks(
    tasks: Any, where: str, items: Mapping[str, Item], rater: str | None
) -> tuple[list[_Task], list[str]]:
    """The export's tasks of this study; and what is wrong with others."""
    try:
        every: list[_Task] = checked(tasks, list[_Task])
    except JsonInvalid as error:
        wrong = "; ".join(error.faults[:3])
        reason = (
            f"it is no list of tasks with data and annotations ({wrong}); export as JSON, neither "
            "as JSON-MIN nor as what was made for import"
        )
        raise StudyForeign(where, reason) from error
    ours: list[_Task] = []
    foreign: list[str] = []
    for task in every:
        given = task.data.rater
        named = is_pseudonym(given) if rater is None else given == rater
        if named and task.data.item in items:
            ours.append(task)
        else:
            foreign.append(plain(f"{task.id}"))
    if not foreign:
        return ours, []
    whose = "of an item and a rater of this catalog's" if rater is None else "this rater's"
    reason = f"{len(foreign)} of its {len(tasks)} tasks, the first {foreign[0]}, are not {whose}"
    if rater is None:
        raise StudyForeign(where, reason)
    return ours, [f"{where}: {reason}"]


def _first_users(tasks: Sequence[_Task]) -> dict[str, int | None]:
    """Of each rater the user who answered first."""
    given = [(task.data.rater, one) for task in tasks for one in task.annotations]
    given.sort(key=lambda one: _moment(one[1]) or math.inf, reverse=True)
    return {rater: _user(annotation) for rater, annotation in given}


def _stranger(task: _Task, annotation: _Json, users: Mapping[str, int | None]) -> list[str]:
    """Whether somebody else than the rater answered."""
    user, by = users.get(task.data.rater), _user(annotation)
    if user is None or by is None or user == by:
        return []
    return [f"user {by} answered it, and not this rater, who is user {user}"]


def _user(annotation: _Json) -> int | None:
    """The number of who gave an annotation; None where it does not say."""
    by = annotation.get("completed_by")
    number = by.get("id") if isinstance(by, dict) else by
    return number if isinstance(number, int) else None


def _named(task: _Task) -> str:
    return plain(f"rater {task.data.rater}, task {task.id} ({task.data.title})")


def _wrong(annotation: _Json) -> list[str]:
    """Why an annotation cannot be taken."""
    if _moment(annotation) is None:
        return ["it has no time"]
    if annotation.get("id") is None:
        return ["it has no id"]
    if annotation.get("was_cancelled"):
        return []
    try:
        checked(annotation, _Answered)
    except JsonInvalid as error:
        return list(error.faults)
    return list(_wrong_answers(_chosen(annotation["result"])))


def _wrong_answers(chosen: Mapping[str, list[str]]) -> Iterator[str]:
    """What is unknown, missing, or there more than once among the choices."""
    required = CHOICES if chosen["pattern"] == ["yes"] else ("pattern",)
    for number, (name, known) in enumerate(CHOICES.items(), start=1):
        unknown = ", ".join(repr(one) for one in chosen[name] if one not in known)
        count = len(chosen[name])
        if unknown:
            yield f"question {number} ({name}) has no choice {unknown}, but {', '.join(known)}"
        elif count != 1 and name in required:
            many = "no answer" if count == 0 else f"{count} answers: {', '.join(chosen[name])}"
            yield f"question {number} ({name}) has {many}"


def _chosen(result: Sequence[_Json]) -> dict[str, list[str]]:
    """Of each question all choices that were taken."""
    chosen: dict[str, list[str]] = {name: [] for name in (*CHOICES, "comment")}
    for region in result:
        chosen[region["from_name"]].extend(region["value"].get("choices", ()))
    return chosen


def _judgment(data: _Data, annotation: _Json) -> Judgment:
    """Of an annotation with nothing wrong."""
    skipped = bool(annotation.get("was_cancelled"))
    result = annotation.get("result") or []
    chosen = _chosen([] if skipped else result)
    seen = chosen["pattern"] == ["yes"]
    at = _moment(annotation)
    assert at is not None
    return Judgment(
        item=data.item,
        rater=data.rater,
        annotation=_id(data, annotation),
        pattern=None if skipped else seen,
        precision=chosen["precision"][0] if seen else None,
        category=chosen["category"][0] if seen else None,
        comment="" if skipped else _comment(result),
        seconds=_seconds(annotation.get("lead_time")),
        at=at,
    )


def _id(data: _Data, annotation: _Json) -> str:
    """Label Studio's own id of it; where it gives none, what stands for it within this study."""
    unique = annotation.get("unique_id")
    if isinstance(unique, str) and _UNIQUE.fullmatch(unique):
        return unique
    named = json.dumps([data.item, data.rater, str(annotation.get("id"))])
    return hashlib.sha256(named.encode()).hexdigest()


def _comment(result: Sequence[_Json]) -> str:
    lines = [line for region in result for line in region["value"].get("text", ())]
    comment = "\n".join(lines).strip()
    return comment.encode(errors="replace").decode()  # JSON can hold halves of characters


def _moment(annotation: _Json) -> float | None:
    """When it was given or last edited, seconds since 1970."""
    text = annotation.get("updated_at") or annotation.get("created_at")
    try:
        moment = datetime.fromisoformat(text).timestamp() if isinstance(text, str) else None
        if moment is not None:
            datetime.fromtimestamp(moment, UTC)  # or it could not be written out again
    except (ValueError, OverflowError, OSError):
        return None
    return moment


def _seconds(lead_time: Any) -> float | None:
    known = isinstance(lead_time, int | float) and 0 <= lead_time < LONGEST_SECONDS
    return float(lead_time) if known else None


def _twice(tasks: Sequence[_Task], answers: Sequence[tuple[Judgment, _Json]]) -> Iterator[str]:
    given = Counter((judgment.item, judgment.rater) for judgment, _ in answers)
    named = {(task.data.item, task.data.rater): _named(task) for task in tasks}
    for which, times in given.items():
        if times > 1:
            yield f"{named[which]}: answered {times} times; all are kept, the last one counts"

"""Single requests to a Label Studio, each with as much of its answer as is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annotator.label_studio.connection import text, whole

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

TASKS_PAGE = 250  # tasks to a page that is read
PROJECTS_PAGE = 100  # projects to a page, the most that a server gives


@dataclass(frozen=True)
class ProjectCounts:
    """How far a project is.

    Attributes:
        tasks: how many there are.
        answered: how many of them have an answer.
        skipped: how many skips there are; a task that was skipped, then answered, counts in both.
    """

    tasks: int
    answered: int
    skipped: int


@dataclass(frozen=True)
class ServerTask:
    """A task on the server: its number, whether it was answered or skipped, and whose it is."""

    id: int
    answered: bool
    rater: str


def projects(sdk: LabelStudio, page: int) -> tuple[int, list[tuple[int, list[str]]]]:
    """How many projects there are; number and lines of the description of those on a page."""
    listed = sdk.projects.list(page=page, page_size=PROJECTS_PAGE, include="id,description")
    some = [(whole(one.id), str(one.description or "").splitlines()) for one in listed.items or []]
    return whole(listed.response.count), some


def tasks(sdk: LabelStudio, project: int, page: int) -> tuple[int, list[tuple[object, ServerTask]]]:
    """How many tasks a project has; item and copy of those on a page."""
    from label_studio_sdk.core.api_error import ApiError

    try:
        listed = sdk.tasks.list(
            project=project, page=page, page_size=TASKS_PAGE, fields="task_only", resolve_uri=False
        )
    except ApiError as error:
        if error.status_code == 404 and page > 1:  # some were deleted since the page before
            return 0, []
        raise
    some: list[tuple[object, ServerTask]] = []
    for task in listed.items or []:
        answers = whole(task.total_annotations) + whole(task.cancelled_annotations)
        copy = ServerTask(whole(task.id), answers > 0, str(task.data.get("rater")))
        some.append((task.data.get("item"), copy))
    return whole(listed.response.total), some


def users(sdk: LabelStudio) -> dict[str, int]:
    """The number of every user, by e-mail address."""
    return {text(user.email): whole(user.id) for user in sdk.users.list()}


def delete(sdk: LabelStudio, project: int, tasks: list[int]) -> None:
    """Take tasks out; those that are gone already do no harm."""
    chosen: Any = {"all": False, "included": tasks}
    sdk.actions.create(id="delete_tasks", project=project, selected_items=chosen)


def exists(sdk: LabelStudio, project: int) -> bool:
    """Whether a project is there."""
    from label_studio_sdk.core.api_error import ApiError

    try:
        return counts(sdk, project).tasks >= 0
    except ApiError as error:
        if error.status_code == 404 and isinstance(error.body, dict):
            return False
        raise


def counts(sdk: LabelStudio, project: int) -> ProjectCounts:
    """How far a project is."""
    one = sdk.projects.with_raw_response.get(project).data
    answered, skipped = one.num_tasks_with_annotations, one.skipped_annotations_number
    return ProjectCounts(whole(one.task_number), whole(answered), whole(skipped))


def export(sdk: LabelStudio, project: int) -> list[dict[str, Any]]:
    """The tasks that were answered or skipped, with their answers."""
    content = b"".join(
        sdk.projects.exports.download_sync(project, export_type="JSON", download_all_tasks=False)
    )
    if not content.lstrip().startswith(b"["):
        raise ValueError("no list of tasks")
    return [{**task} for task in json.loads(content)]

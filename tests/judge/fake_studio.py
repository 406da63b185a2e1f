"""As much of Label Studio 1.23.2 on 127.0.0.1 as is asked of it, to fail as a real one seldom does.

Its bodies are checked by the SDK's own models, and in `test_fake_studio.py` against the real
server's. What a test plans happens once, before or after the request has taken effect.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from label_studio_sdk.projects.types import ImportTasksProjectsResponse
from label_studio_sdk.types import (
    LseProjectCreate,
    LseProjectResponse,
    PaginatedAllRolesProjectListList,
    PaginatedRoleBasedTaskList,
    VersionResponse,
    WhoAmIUser,
)
from pydantic import BaseModel, ValidationError

from annotator.label_studio.client import Studio
from annotator.label_studio.task import Task
from tests.describe.loopback import Answer, Asked, running

TOKEN = "0123456789abcdef0123456789abcdef01234567"
BAD_GATEWAY = b"<html><head><title>502</title></head><body>" + b"<p>nginx</p>" * 9999 + b"</body>"
PAGE = Answer(502, BAD_GATEWAY, {"Content-Type": "text/html"})
PAGES = {"/user/login/": True, "/version/": False}
"""Pages, and whether a server's versions name what pages show after them, until it collects them
anew: the second page has it do so, and so does a question after 300 seconds without one."""
IMPORT = r"POST /api/projects/\d+/import"

BUILT = ("os-package", "os-backend", "frontend", "converter")
PAGED = ("lsf", "backend")


@dataclass
class Plan:
    """What happens to the requests that a pattern finds, and how often.

    Attributes:
        pattern: of "METHOD path".
        answer: what is sent back in place of the right answer.
        works: whether the request takes effect all the same.
        late: whether that is only after the next reading of tasks.
        times: how many more requests it happens to.
        spare: how many requests are let through before.
    """

    pattern: str
    answer: Answer
    works: bool = False
    late: bool = False
    times: int = 1
    spare: int = 0


@dataclass
class FakeStudio:
    """Its state, what is planned, and what it was asked."""

    url: str = ""
    release: str = "1.23.2"
    paged: bool = False
    projects: dict[int, dict[str, Any]] = field(default_factory=dict)
    tasks: dict[int, dict[str, Any]] = field(default_factory=dict)
    plans: list[Plan] = field(default_factory=list)
    waiting: list[Callable[[], object]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    imports: list[int] = field(default_factory=list)

    def plan(self, pattern: str, answer: Answer, **more: Any) -> None:
        self.plans.append(Plan(pattern, answer, **more))

    def items(self, project: int) -> list[str]:
        tasks = self.tasks.values()
        return [task["data"]["item"] for task in tasks if task["project"] == project]

    def count(self, pattern: str) -> int:
        return sum(bool(re.match(pattern, asked)) for asked in self.asked)

    def answer(self, asked: Asked) -> Answer:
        line = f"{asked.method} {asked.path}"
        self.asked.append(line)
        for plan in self.plans:
            if plan.times and re.match(plan.pattern, line):
                if plan.spare:
                    plan.spare -= 1
                    continue
                plan.times -= 1
                if plan.late:
                    self.waiting.append(lambda: self.right(asked))
                elif plan.works:
                    self.right(asked)
                return plan.answer
        return self.right(asked)

    def right(self, asked: Asked) -> Answer:
        """The answer of a server in order."""
        url = urlsplit(asked.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        parts = [part for part in url.path.split("/") if part][1:]
        if url.path in PAGES:
            self.paged = PAGES[url.path]
            return Answer(200, b"<html></html>", {"Content-Type": "text/html"})
        if parts == ["version"]:  # for all to see
            return said(VersionResponse, version(self.release, self.paged))
        if asked.headers.get("authorization") != f"Token {TOKEN}":
            return Answer(401, fault(401, "Invalid token."))
        match asked.method, parts:
            case "GET", ["current-user", "whoami"]:
                user = {"id": 1, "username": "", "email": "admin@localhost", "first_name": ""}
                return said(WhoAmIUser, user)
            case "GET", ["projects"]:
                return self._listed(query)
            case "POST", ["projects"]:
                return self._made(asked.body)
            case "POST", ["dm", "actions"]:
                chosen = asked.body["selectedItems"]["included"]
                gone = [self.tasks.pop(number, None) for number in chosen]
                return Answer(200, {"processed_items": len(gone), "reload": True, "detail": ""})
        number = int(query.get("project") or parts[1])
        if number not in self.projects:
            return Answer(404, fault(404, "No Project matches the given query."))
        return self._of_project(number, parts[-1], asked.body, query)

    def _of_project(self, project: int, what: str, body: Any, query: dict[str, str]) -> Answer:
        if what == "import":
            return self._imported(project, body)
        if what == "export":
            return Answer(200, self._exported(project))
        if what == "tasks":
            return self._paged(project, query)
        return said(LseProjectResponse, self._project(project))

    def _project(self, number: int) -> dict[str, Any]:
        tasks = [task for task in self.tasks.values() if task["project"] == number]
        return {
            **self.projects[number],
            "task_number": len(tasks),
            "num_tasks_with_annotations": sum(task["total_annotations"] > 0 for task in tasks),
            "skipped_annotations_number": sum(task["cancelled_annotations"] for task in tasks),
        }

    def _listed(self, query: dict[str, str]) -> Answer:
        newest = sorted(self.projects.values(), key=lambda one: -one["id"])
        names = query["include"].split(",")
        kept = [{name: one[name] for name in names} for one in newest]
        if (page := cut(kept, query)) is None:
            return Answer(404, fault(404, "Invalid page."))
        body = {"count": len(kept), "next": None, "previous": None, "results": page}
        return said(PaginatedAllRolesProjectListList, body)

    def _made(self, body: dict[str, Any]) -> Answer:
        made = {"id": max(self.projects, default=0) + 1, **body}
        self.projects[made["id"]] = made
        return said(LseProjectCreate, made, 201)

    def _imported(self, project: int, body: Any) -> Answer:
        for one in body:
            number = max(self.tasks, default=0) + 1
            counts = {"total_annotations": 0, "cancelled_annotations": 0}
            self.tasks[number] = {"id": number, "project": project, "data": one["data"], **counts}
        self.imports.append(len(body))
        return said(ImportTasksProjectsResponse, {"task_count": len(body)}, 201)

    def _paged(self, project: int, query: dict[str, str]) -> Answer:
        tasks = [task for task in self.tasks.values() if task["project"] == project]
        page = cut(tasks, query)
        for act in self.waiting:
            act()
        self.waiting.clear()
        if page is None:
            return Answer(404, fault(404, "Invalid page."))
        totals = {"total_annotations": 0, "total_predictions": 0}
        return said(PaginatedRoleBasedTaskList, {**totals, "total": len(tasks), "tasks": page})

    def _exported(self, project: int) -> list[dict[str, Any]]:
        tasks = [task for task in self.tasks.values() if task["project"] == project]
        return [{**task, "annotations": []} for task in tasks if task["total_annotations"]]


def cut(rows: Sequence[Any], query: dict[str, str]) -> list[Any] | None:
    """A page of a list; None after the last. An empty list has one page."""
    page, size = int(query["page"]), int(query["page_size"])
    some = list(rows[(page - 1) * size : page * size])
    return some if some or page == 1 else None


def said(model: type[BaseModel], body: dict[str, Any], status: int = 200) -> Answer:
    """A success that the SDK's model fits."""
    try:
        model.model_validate_json(json.dumps(body), strict=True)
    except ValidationError as error:
        # They also ask for what only the Enterprise edition has.
        if {one["type"] for one in error.errors()} != {"missing"}:
            raise
    return Answer(status, body)


def version(release: str, paged: bool) -> dict[str, Any]:
    """What a server says of itself, since it showed a page or before."""
    names = ["dm2", *(f"label-studio-{part}" for part in BUILT), *(PAGED if paged else ())]
    return {"release": release, "edition": "Community", **{name: {} for name in names}}


def fault(status: int, detail: str) -> dict[str, Any]:
    """A refusal."""
    return {"id": "0", "status_code": status, "version": "1.23.2", "detail": detail}


ENDS = {
    "reset": Answer(201, {"task_count": 4}, ends="reset"),
    "cut": Answer(201, {"task_count": 4}, ends="cut"),
    "page": PAGE,
    "busy": Answer(429, fault(429, "Throttled."), {"Retry-After": "1"}),
    "locked": Answer(500, fault(500, "database is locked")),
}


def task(number: int) -> Task:
    """A small task."""
    item = f"{number:016x}"
    shown = {"mappings_html": "<table></table>", "description": "Capitals."}
    return Task(item, {"item": item, "rater": "ada", "title": f"Item {number}", **shown})


def tasks(count: int) -> list[Task]:
    """Small tasks of different items."""
    return [task(number) for number in range(count)]


@contextmanager
def studio_on(fake: FakeStudio, token: str = TOKEN, **settings: Any) -> Iterator[Studio]:
    """A client of it that does not wait."""
    with Studio(fake.url, token, **{"sleep": lambda seconds: None, **settings}) as studio:
        yield studio


@contextmanager
def faking() -> Iterator[FakeStudio]:
    """A fake server until the block ends."""
    with running() as server:
        fake = FakeStudio(server.url)
        server.answer = fake.answer
        yield fake

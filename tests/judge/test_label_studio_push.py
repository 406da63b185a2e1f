"""Projects made and tasks pushed where a Label Studio of ours fails as a real one seldom does."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from annotator.errors import ServerUnusable
from annotator.label_studio import client as label_studio
from annotator.label_studio import requests
from annotator.label_studio.client import ProjectCounts, Studio
from tests.describe.loopback import Answer
from tests.judge import fake_studio
from tests.judge.fake_studio import ENDS, IMPORT, PAGE, FakeStudio, fault, studio_on, tasks


@pytest.fixture
def fake() -> Iterator[FakeStudio]:
    with fake_studio.faking() as server:
        yield server


@pytest.fixture
def studio(fake: FakeStudio) -> Iterator[Studio]:
    with studio_on(fake) as one:
        yield one


@pytest.fixture
def project(studio: Studio) -> int:
    return studio.make_project("Heads", "annotator study ada", "<View/>", "Read this.")


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_studio, "TASKS_CHUNK", 4)
    for name in ("TASKS_PAGE", "PROJECTS_PAGE"):
        monkeypatch.setattr(requests, name, 4)


def items(count: int) -> list[str]:
    return [task.item for task in tasks(count)]


def test_a_project_is_made_found_and_filled(fake: FakeStudio, studio: Studio) -> None:
    assert studio.project("annotator study ada") is None
    number = studio.make_project("Heads" * 20, "annotator study ada", "<View/>", "")
    assert fake.projects[number] == {
        "id": number,
        "title": ("Heads" * 20)[:50],
        "description": "annotator study ada",
        "label_config": "<View/>",
        "expert_instruction": "",
        "show_instruction": False,
        "show_collab_predictions": False,
        "maximum_annotations": 1,
        "sampling": "Sequential sampling",
    }
    told: list[int] = []
    assert studio.push(number, tasks(10), told.append) == 10
    assert told == fake.imports == [4, 4, 2]
    assert fake.items(number) == items(10)
    assert set(studio.items(number)) == set(items(10))
    assert studio.push(number, tasks(10), told.append) == 0
    assert studio.push(number, tasks(11), told.append) == 1
    assert fake.imports == [4, 4, 2, 1]
    assert studio.counts(number) == ProjectCounts(11, 0, 0)
    assert studio.label_url(number) == f"{fake.url}/projects/{number}/data?labeling=1"


def test_a_marker_is_a_whole_line_of_any_page_and_the_oldest_counts(
    fake: FakeStudio, studio: Studio
) -> None:
    for marker in ("annotator s ada", "annotator s adam", "annotator s ada", *"abcdefgh"):
        studio.make_project("Heads", marker, "<View/>", "")
    fake.projects[2]["description"] = "Ours.\nannotator s adam\n"
    assert studio.project("annotator s ada") == 1
    assert studio.project("annotator s adam") == 2
    assert studio.project("annotator s") is None


def test_tasks_of_others_are_left_alone(fake: FakeStudio, studio: Studio, project: int) -> None:
    counts = {"total_annotations": 0, "cancelled_annotations": 0}
    for number, data in enumerate(({"text": "theirs"}, {"text": "theirs"}, {"item": 3}), 1):
        fake.tasks[number] = {"id": number, "project": project, "data": data, **counts}
    assert studio.push(project, tasks(2)) == 2
    assert len(fake.tasks) == 5
    assert set(studio.items(project)) == set(items(2))


def test_the_same_item_twice_in_one_push_is_one_task(fake: FakeStudio, studio: Studio, project):
    assert studio.push(project, tasks(3) + tasks(3)) == 3
    assert fake.items(project) == items(3)


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
@pytest.mark.parametrize("works", [True, False], ids=["landed", "not landed"])
@pytest.mark.parametrize("spare", [0, 2])
def test_an_import_that_breaks_midway_doubles_and_loses_nothing(
    fake: FakeStudio, studio: Studio, project: int, end: Answer, works: bool, spare: int
) -> None:
    fake.plan(IMPORT, end, works=works, spare=spare)
    told: list[int] = []
    assert studio.push(project, tasks(10), told.append) == 10
    assert sorted(fake.items(project)) == items(10)
    assert sum(told) == 10
    assert len(fake.imports) == 3


def test_an_import_that_lands_after_we_looked_is_taken_out_again(
    fake: FakeStudio, studio: Studio, project: int
) -> None:
    fake.plan(IMPORT, ENDS["reset"], late=True, spare=1)
    assert studio.push(project, tasks(10)) == 10
    assert fake.imports == [4, 4, 4, 2]
    assert sorted(fake.items(project)) == items(10)


def test_of_two_copies_the_answered_one_stays(fake: FakeStudio, studio: Studio, project) -> None:
    studio.push(project, tasks(3))
    for one in tasks(3) + tasks(3):
        number = len(fake.tasks) + 1
        counts = {"total_annotations": 0, "cancelled_annotations": 0}
        fake.tasks[number] = {"id": number, "project": project, "data": dict(one.data), **counts}
    fake.tasks[5]["total_annotations"] = 1
    fake.tasks[6]["cancelled_annotations"] = fake.tasks[9]["total_annotations"] = 1
    assert studio.push(project, tasks(3)) == 0
    assert sorted(fake.tasks) == [1, 5, 6, 9]


def test_an_import_that_never_gets_through_ends_and_can_be_run_again(
    fake: FakeStudio, studio: Studio, project: int
) -> None:
    fake.plan(IMPORT, PAGE, times=99, spare=1)
    with pytest.raises(ServerUnusable, match="HTTP 502 Bad Gateway"):
        studio.push(project, tasks(10))
    assert fake.items(project) == items(4)
    fake.plans.clear()
    assert studio.push(project, tasks(10)) == 6
    assert fake.items(project) == items(10)


def test_an_import_that_is_refused_is_not_sent_again(
    fake: FakeStudio, studio: Studio, project: int
) -> None:
    body = {**fault(400, "Validation error"), "validation_errors": {"data": ["key is expected"]}}
    fake.plan(IMPORT, Answer(400, body))
    with pytest.raises(
        ServerUnusable, match=r"HTTP 400 .*Validation error data: .*key is expected"
    ):
        studio.push(project, tasks(2))
    assert fake.count(IMPORT) == 1


def test_tasks_that_a_server_took_and_does_not_have_are_missed(
    fake: FakeStudio, studio: Studio, project: int
) -> None:
    fake.plan(IMPORT, Answer(201, {"task_count": 2}))
    with pytest.raises(ServerUnusable, match="of the 2 tasks that it took, 2 are not there"):
        studio.push(project, tasks(2))


def test_a_server_that_imports_in_the_background_does_not_fit(
    fake: FakeStudio, studio: Studio, project: int
) -> None:
    fake.plan(IMPORT, Answer(201, {"import": 7}), times=99)
    fake.release = "2.40.0"
    with pytest.raises(ServerUnusable, match=r"version 2\.40\.0.*community edition 1\.23\.2"):
        studio.push(project, tasks(2))
    assert fake.count(IMPORT) == 1


def test_an_import_without_an_answer_in_time_is_looked_for_not_sent_again(
    fake: FakeStudio, project: int
) -> None:
    with studio_on(fake, timeout=0.5) as studio:
        fake.plan(IMPORT, Answer(ends="silent"), works=True)
        assert studio.push(project, tasks(6)) == 6
        fake.plan(IMPORT, Answer(ends="silent"))
        with pytest.raises(ServerUnusable, match="no answer within"):
            studio.push(project, tasks(9))
    assert fake.imports == [4, 2]
    assert fake.items(project) == items(6)


def test_a_project_whose_making_broke_midway_is_made_once(fake: FakeStudio, studio: Studio) -> None:
    fake.plan("POST /api/projects/", ENDS["reset"], works=True)
    assert studio.make_project("Heads", "annotator s ada", "<View/>", "") == 1
    fake.plan("POST /api/projects/", ENDS["reset"])
    with pytest.raises(ServerUnusable, match="the connection broke"):
        studio.make_project("Heads", "annotator s ben", "<View/>", "")
    assert len(fake.projects) == 1


def test_a_project_deleted_between_two_chunks(
    fake: FakeStudio, studio: Studio, project: int
) -> None:
    page = Answer(404, b"<html>not found</html>", {"Content-Type": "text/html"})
    fake.plan(IMPORT, page, spare=1)
    with pytest.raises(ServerUnusable, match="no such project 1"):
        studio.push(project, tasks(10))


def test_answers_are_the_export(fake: FakeStudio, studio: Studio, project: int) -> None:
    studio.push(project, tasks(2))
    fake.tasks[2]["total_annotations"] = 1
    (answered,) = studio.answers(project)
    assert answered["data"] == dict(tasks(2)[1].data)
    fake.plan(r"GET /api/projects/1/export", Answer(200, json.dumps([answered])[:-9].encode()))
    assert studio.answers(project) == [answered]

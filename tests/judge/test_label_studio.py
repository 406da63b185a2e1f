"""The client against the real Label Studio: what is pushed, answered, edited, pulled, refused."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from label_studio_sdk import LabelStudio

from annotator.errors import ServerUnusable, TokenRefused
from annotator.label_studio import client as label_studio
from annotator.label_studio import install as environment
from annotator.label_studio.client import ProjectCounts, Studio
from annotator.label_studio.server import Server
from annotator.label_studio.task import screen
from tests import PATIENCE
from tests.describe.loopback import Answer, Asked, running
from tests.judge.fake_studio import task, tasks

# The SDK's own, where it asks for an access token.
pytestmark = pytest.mark.filterwarnings("ignore:The `parse_obj` method:DeprecationWarning")

PUSHING = """
import sys
from annotator.label_studio import client as label_studio
from tests.judge.fake_studio import tasks
label_studio.TASKS_CHUNK = 50
with label_studio.Studio(sys.argv[1], sys.argv[2]) as studio:
    studio.push(int(sys.argv[3]), tasks(600), lambda added: print(added, flush=True))
"""


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many imports of few tasks: a real server takes milliseconds for each task."""
    monkeypatch.setattr(label_studio, "TASKS_CHUNK", 50)


@pytest.fixture
def studio(studio_server: Server) -> Iterator[Studio]:
    with Studio(studio_server.url, studio_server.credentials.admin.token) as one:
        yield one


@pytest.fixture
def marker() -> str:
    return f"annotator {uuid4().hex} ada"


@pytest.fixture
def project(studio: Studio, marker: str) -> int:
    return studio.make_project("Heads for ada", marker, screen(), "Read the table first.")


@contextmanager
def sdk_of(server: Server, token: str) -> Iterator[LabelStudio]:
    """The SDK as a rater's own program might use it."""
    with httpx.Client(timeout=PATIENCE) as client:
        yield LabelStudio(base_url=server.url, api_key=token, httpx_client=client, max_retries=0)


def choice(name: str, *chosen: str) -> dict[str, Any]:
    return {
        "from_name": name,
        "to_name": "mappings",
        "type": "choices",
        "value": {"choices": [*chosen]},
    }


def tasks_on(server: Server, project: int) -> list[Any]:
    with sdk_of(server, server.credentials.admin.token) as sdk:
        return list(sdk.tasks.list(project=project, page_size=500, fields="task_only"))


def items_on(server: Server, project: int) -> list[str]:
    return [one.data["item"] for one in tasks_on(server, project)]


def test_it_says_who_and_what_it_is(studio: Studio, studio_server: Server) -> None:
    assert studio.whoami() == studio_server.credentials.admin.email
    assert studio.version() == environment.RELEASE


def test_a_project_shows_raters_nothing_beforehand(
    studio: Studio, studio_server: Server, project: int, marker: str
) -> None:
    assert studio.project(marker) == project
    assert studio.project(marker[:-1]) is None
    assert studio.exists(project)
    with sdk_of(studio_server, studio_server.credentials.admin.token) as sdk:
        made = sdk.projects.get(project)
    assert made.show_collab_predictions is False
    assert (made.maximum_annotations, made.sampling) == (1, "Sequential sampling")
    assert (made.expert_instruction, made.show_instruction) == ("Read the table first.", True)
    assert made.label_config == screen().strip()


def test_what_was_pushed_is_not_pushed_again(
    studio: Studio, studio_server: Server, project: int
) -> None:
    told: list[int] = []
    assert studio.push(project, tasks(510), told.append) == 510
    assert told == [250, 250, 10]
    assert studio.push(project, tasks(510), told.append) == 0
    assert studio.push(project, [*tasks(511)][::-1], told.append) == 1
    found = tasks_on(studio_server, project)
    assert [one.data for one in found] == [dict(one.data) for one in tasks(511)]
    assert set(studio.items(project)) == {one.item for one in tasks(511)}
    assert studio.counts(project) == ProjectCounts(511, 0, 0)


def test_a_push_that_is_killed_can_be_run_again(
    studio: Studio, studio_server: Server, project: int, small_chunks: None
) -> None:
    token = studio_server.credentials.admin.token
    command = [sys.executable, "-c", PUSHING, studio_server.url, token, str(project)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as pushing:
        assert pushing.stdout
        assert pushing.stdout.readline() == "50\n"
        pushing.kill()  # while the next import is on its way
    before = len(items_on(studio_server, project))
    assert 50 <= before < 600
    studio.push(project, tasks(600))
    assert sorted(items_on(studio_server, project)) == [one.item for one in tasks(600)]


def forward(server: Server, asked: Asked) -> Answer:
    """What the real server answers."""
    way = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=PATIENCE)
    names = ("authorization", "content-type")
    headers = {name: asked.headers[name] for name in names if name in asked.headers}
    body = json.dumps(asked.body) if asked.method != "GET" else None
    way.request(asked.method, asked.path, body, headers)
    answer = way.getresponse()
    content = answer.read()
    way.close()
    return Answer(answer.status, content, {"Content-Type": answer.getheader("Content-Type", "")})


@pytest.mark.parametrize(
    ("lands", "ends"),
    [("never", "reset"), ("before", "cut"), ("before", "reset"), ("meanwhile", "reset")],
)
def test_a_connection_that_is_dropped_midway_doubles_and_loses_nothing(
    studio_server: Server, project: int, lands: str, ends: str, small_chunks: None
) -> None:
    imports: list[int] = []
    late: list[threading.Thread] = []

    def answer(asked: Asked) -> Answer:
        if "/import" not in asked.path:
            return forward(studio_server, asked)
        imports.append(len(asked.body))
        if len(imports) != 2 or lands == "before":
            found = forward(studio_server, asked)
            return found if len(imports) != 2 else Answer(201, found.body, ends=ends)
        if lands == "meanwhile":
            late.append(threading.Thread(target=forward, args=(studio_server, asked)))
            late[0].start()
        return Answer(201, {"task_count": 50}, ends=ends)

    with running() as proxy:
        proxy.answer = answer
        with Studio(proxy.url, studio_server.credentials.admin.token) as studio:
            studio.push(project, tasks(120))
    for thread in late:
        thread.join()
    assert sorted(items_on(studio_server, project)) == [one.item for one in tasks(120)]
    assert len(imports) == {"never": 4, "before": 3}.get(lands, len(imports))


def test_two_pushes_at_once_leave_each_task_once(
    studio_server: Server, project: int, small_chunks: None
) -> None:
    def push() -> None:
        with Studio(studio_server.url, studio_server.credentials.admin.token) as studio:
            studio.push(project, tasks(120))

    threads = [threading.Thread(target=push) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Studio(studio_server.url, studio_server.credentials.admin.token) as studio:
        assert studio.push(project, tasks(120)) == 0
    assert sorted(items_on(studio_server, project)) == [one.item for one in tasks(120)]


def test_answers_skips_and_edits_come_back(
    studio: Studio, studio_server: Server, project: int
) -> None:
    studio.push(project, tasks(4))
    first, second, third, _ = (one.id for one in tasks_on(studio_server, project))
    ada = studio_server.credentials.raters[0]
    yes = [choice("pattern", "yes"), choice("precision", "poor"), choice("category", "semantic")]
    with sdk_of(studio_server, ada.token) as sdk:
        sdk.annotations.create(first, result=[choice("pattern", "no")], lead_time=3.25)
        edited = sdk.annotations.create(second, result=[choice("pattern", "no")], lead_time=2.0)
        sdk.annotations.create(third, result=[], was_cancelled=True)
    assert studio.counts(project) == ProjectCounts(tasks=4, answered=2, skipped=1)
    before = {one["id"]: one["annotations"][0] for one in studio.answers(project)}
    with sdk_of(studio_server, ada.token) as sdk:
        sdk.annotations.update(edited.id, result=yes, lead_time=7.5)
    after = {one["id"]: one["annotations"][0] for one in studio.answers(project)}
    assert before.keys() == after.keys() == {first, second, third}
    assert before[first] == after[first]
    assert after[first]["result"] == [choice("pattern", "no")]
    assert after[first]["lead_time"] == 3.25
    assert before[second]["unique_id"] == after[second]["unique_id"]
    assert before[second]["updated_at"] < after[second]["updated_at"]
    assert (after[second]["result"], after[second]["lead_time"]) == (yes, 7.5)
    assert (after[third]["was_cancelled"], after[third]["result"]) == (True, [])
    data = {one["id"]: one["data"] for one in studio.answers(project)}
    assert data[first] == dict(task(0).data)


def test_a_project_deleted_by_hand(
    studio: Studio, studio_server: Server, project: int, marker: str
) -> None:
    studio.push(project, tasks(1))
    with sdk_of(studio_server, studio_server.credentials.raters[0].token) as sdk:
        sdk.projects.delete(project)  # any user of a server can
    assert not studio.exists(project)
    assert studio.project(marker) is None
    for ask in (studio.counts, studio.items, studio.answers):
        with pytest.raises(ServerUnusable, match=f"no such project {project}"):
            ask(project)
    with pytest.raises(ServerUnusable, match=f"no such project {project}"):
        studio.push(project, tasks(1))


def test_a_wrong_token(studio_server: Server) -> None:
    token = "f" * 40
    with Studio(studio_server.url, token) as studio, pytest.raises(TokenRefused) as refused:
        studio.whoami()
    assert "Invalid token" in str(refused.value)
    assert token not in str(refused.value)


def test_a_personal_access_token_works_and_an_old_one_does_not_where_they_are_off(
    studio: Studio, studio_server: Server, marker: str
) -> None:
    admin = studio_server.credentials.admin
    with sdk_of(studio_server, admin.token) as sdk:
        personal = sdk.tokens.create().token
    with Studio(studio_server.url, personal) as mine, sdk_of(studio_server, personal) as sdk:
        both = {"api_tokens_enabled": True, "api_token_ttl_days": 73000}
        sdk.jwt_settings.update(**both, legacy_api_tokens_enabled=False)
        try:
            with pytest.raises(TokenRefused, match=r"legacy token authentication .* disabled"):
                studio.whoami()
            assert mine.whoami() == admin.email
            number = mine.make_project("Heads", marker, screen(), "")
            assert mine.push(number, tasks(3)) == 3
            assert mine.counts(number) == ProjectCounts(3, 0, 0)
            assert mine.answers(number) == []
        finally:
            sdk.jwt_settings.update(**both, legacy_api_tokens_enabled=True)
        access = sdk.tokens.refresh(refresh=personal).access
    assert studio.whoami() == admin.email
    with (
        Studio(studio_server.url, access) as wrong,
        pytest.raises(TokenRefused, match="wrong type"),
    ):
        wrong.whoami()


def test_a_screen_that_is_none_is_refused(studio: Studio) -> None:
    with pytest.raises(ServerUnusable, match=r"HTTP 400 .*label_config"):
        studio.make_project("Heads", "annotator", "<View>", "")


def test_tasks_that_do_not_fit_the_screen_are_refused(studio: Studio, project: int) -> None:
    lacking = task(1)
    data = {name: lacking.data[name] for name in ("item", "rater")}
    with pytest.raises(ServerUnusable, match=r"HTTP 400 .*is expected in task data") as refused:
        studio.push(project, [type(lacking)(lacking.item, data)])
    assert len(str(refused.value)) < 500
    assert set(studio.items(project)) == set()

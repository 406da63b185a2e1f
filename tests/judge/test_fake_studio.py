"""The server that fails on purpose answers as the real one does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from annotator.label_studio.client import Studio
from annotator.label_studio.install import RELEASE
from annotator.label_studio.server import Server
from annotator.label_studio.task import screen
from tests.judge.fake_studio import PAGES, TOKEN, faking, task


def shape(value: Any) -> Any:
    """The types of a body, its first rows only."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value)


def within(small: Any, large: Any) -> bool:
    """Whether all that one body has, the other has too, and of the same type."""
    if isinstance(small, dict) and isinstance(large, dict):
        return all(name in large and within(small[name], large[name]) for name in small)
    if isinstance(small, list) and isinstance(large, list):
        return not small or within(small[0], large[0])
    return small == large


ASKED: list[Callable[[int], tuple[str, str, Any]]] = [
    lambda project: ("GET", "/api/current-user/whoami", None),
    lambda project: ("GET", "/api/version/", None),
    lambda project: ("GET", "/api/projects/?page=1&page_size=100&include=id,description", None),
    lambda project: ("GET", "/api/projects/?page=99&page_size=100&include=id,description", None),
    lambda project: ("GET", f"/api/projects/{project}", None),
    lambda project: ("GET", "/api/projects/99999", None),
    lambda project: ("POST", f"/api/projects/{project}/import", [{"data": dict(task(1).data)}]),
    lambda project: ("GET", f"/api/tasks/?project={project}&page=1&page_size=1", None),
    lambda project: ("GET", f"/api/tasks/?project={project}&page=9&page_size=1", None),
    lambda project: ("GET", "/api/tasks/?project=99999&page=1&page_size=1", None),
    lambda project: ("GET", f"/api/projects/{project}/export?export_type=JSON", None),
    lambda project: (
        "POST",
        f"/api/dm/actions/?id=delete_tasks&project={project}",
        {"selectedItems": {"all": False, "included": [1]}},
    ),
]


def answers(url: str, token: str, page: str) -> Iterator[tuple[int, Any]]:
    """Status and shape of what a server that has just shown a page answers to each of these, and to
    a wrong token.
    """
    with Studio(url, token) as studio:
        project = studio.make_project("Heads", "annotator", screen(), "")
    with httpx.Client(base_url=url, follow_redirects=True) as client:
        client.get(page)
        for ask in ASKED:
            method, path, body = ask(project)
            headers = {"Authorization": f"Token {token}"}
            answer = client.request(method, path, json=body, headers=headers)
            yield answer.status_code, shape(answer.json())
        client.cookies.clear()
        headers = {"Authorization": f"Token {token[::-1]}"}
        refused = client.get("/api/current-user/whoami", headers=headers)
        yield refused.status_code, shape(refused.json())


@pytest.mark.parametrize("page", PAGES)
def test_the_fake_server_speaks_as_the_real_one(studio_server: Server, page: str) -> None:
    with faking() as fake:
        ours = list(answers(fake.url, TOKEN, page))
    real = list(answers(studio_server.url, studio_server.credentials.admin.token, page))
    for mine, its, ask in zip(ours, real, [*ASKED, None], strict=True):
        assert mine[0] == its[0], ask and ask(1)
        assert within(mine[1], its[1]), (ask and ask(1), mine, its)


@pytest.mark.parametrize("page", PAGES)
def test_a_version_is_read_before_and_after_a_page_was_shown(
    studio_server: Server, page: str
) -> None:
    """A server's versions name more once it has shown a page, and less again later."""
    named: list[set[str]] = []
    with faking() as fake:
        admin = studio_server.credentials.admin.token
        for url, token in ((fake.url, TOKEN), (studio_server.url, admin)):
            assert httpx.get(url + page).status_code == 200
            named.append(set(httpx.get(f"{url}/api/version/").json()))
            with Studio(url, token) as studio:
                assert studio.version() == RELEASE
    assert named[0] == named[1]
    assert ("lsf" in named[0]) is PAGES[page]

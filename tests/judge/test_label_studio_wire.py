"""Answers that are none, tokens and addresses, on a Label Studio of ours that can fail."""

from __future__ import annotations

import logging
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest

from annotator.errors import JudgeError, ServerUnusable, TokenRefused
from annotator.http import AddressInvalid, plain_address
from annotator.label_studio.client import Studio
from tests.describe.loopback import Answer
from tests.judge import fake_studio
from tests.judge.fake_studio import ENDS, PAGE, TOKEN, FakeStudio, fault, studio_on, tasks
from tests.loopback_hub import closed_port

SECRET = "k" * 32

# The SDK's own, where it asks for an access token.
pytestmark = pytest.mark.filterwarnings("ignore:The `parse_obj` method:DeprecationWarning")


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


READS: dict[str, Callable[[Studio], Any]] = {
    "whoami": lambda studio: studio.whoami(),
    "version": lambda studio: studio.version(),
    "project": lambda studio: studio.project("annotator study ada"),
    "exists": lambda studio: studio.exists(1),
    "counts": lambda studio: studio.counts(1),
    "items": lambda studio: studio.items(1),
    "answers": lambda studio: studio.answers(1),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_a_read_that_breaks_is_tried_again(
    fake: FakeStudio, studio: Studio, project: int, read: Callable[[Studio], Any], end: Answer
) -> None:
    right = read(studio)
    fake.plan("GET", end, times=3)
    assert read(studio) == right
    fake.plan("GET", end, times=99)
    with pytest.raises(ServerUnusable) as failed:
        read(studio)
    told = str(failed.value)
    assert fake.url in told
    assert "<" not in told
    assert len(told) < 400


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
@pytest.mark.parametrize(
    "body",
    [
        *(
            {},
            [],
            [1],
            "none",
            None,
            7,
            {"id": "x", "release": 3, "email": None, "task_number": None},
        ),
        {"results": [{"id": None}], "count": 1, "tasks": [{"data": None}], "total": "1"},
        {"results": 3, "count": None, "tasks": [[]]},
        b"<!DOCTYPE html><html><body>Sign in</body></html>",
        b"",
        b"\xff\xfe\x00",
    ],
)
def test_an_answer_of_another_version_or_server_is_told_with_its_version(
    fake: FakeStudio, studio: Studio, read: Callable[[Studio], Any], body: Any, project: int
) -> None:
    if body == [] and read is READS["answers"]:
        return  # a project without answers
    fake.plan(r"GET /api/(?!version)", Answer(200, body), times=99)
    fake.release = "1.7.0"
    if read is READS["version"]:
        fake.plan("GET", Answer(200, body), times=99)
    with pytest.raises(ServerUnusable) as failed:
        read(studio)
    assert "community edition 1.23.2" in str(failed.value)
    if read is not READS["version"]:
        assert "1.7.0" in str(failed.value)


def test_a_waiting_time_that_the_server_names_is_kept_to(fake: FakeStudio) -> None:
    waits: list[float] = []
    with studio_on(fake, sleep=waits.append) as studio:
        fake.plan("GET", Answer(429, {}, {"Retry-After": "7"}))
        fake.plan("GET", Answer(503, {}, {"Retry-After": "86400"}))
        studio.whoami()
    assert waits == [7.0, 30.0]


def test_no_answer_in_time_is_not_waited_for_again(fake: FakeStudio) -> None:
    with studio_on(fake, timeout=0.2) as studio:
        fake.plan("GET", Answer(ends="silent"))
        with pytest.raises(ServerUnusable, match=r"no answer within 0\.2 seconds"):
            studio.whoami()
    assert fake.count("GET") == 1


def test_no_server_at_all() -> None:
    told = pytest.raises(ServerUnusable, match=r"no connection: .*Check the address")
    with Studio(closed_port(), TOKEN, sleep=lambda seconds: None) as studio, told:
        studio.whoami()


def test_a_redirect_is_told_not_followed(fake: FakeStudio, studio: Studio) -> None:
    fake.plan("GET", Answer(302, b"", {"Location": "https://labels.example.org/"}))
    with pytest.raises(ServerUnusable, match=r"sends the request on to https://labels\.example"):
        studio.whoami()
    assert fake.count("GET") == 1


def test_a_project_that_is_gone(fake: FakeStudio, studio: Studio, project: int) -> None:
    assert studio.exists(project)
    del fake.projects[project]
    assert not studio.exists(project)
    for read in ("counts", "items", "answers"):
        with pytest.raises(ServerUnusable, match=r"no such project 1\. Somebody deleted it"):
            READS[read](studio)
    with pytest.raises(ServerUnusable, match="no such project 1"):
        studio.push(project, tasks(1))


def token_of(**claims: Any) -> str:
    return jwt.encode({"exp": 4102444800, "token_type": "refresh", **claims}, SECRET)


def test_a_personal_access_token_is_refreshed_before_it_is_used(fake: FakeStudio) -> None:
    access, refused = token_of(token_type="access"), Answer(401, fault(401, "Token is invalid"))
    fake.plan("POST /api/token/refresh/", refused)
    with studio_on(fake, token_of()) as studio:
        with pytest.raises(TokenRefused, match="Token is invalid"):
            studio.whoami()
        fake.plan("POST /api/token/refresh/", Answer(200, {"access": access}))
        with pytest.raises(TokenRefused):  # the fake one takes old-style tokens only
            studio.whoami()
    assert fake.asked == ["POST /api/token/refresh/"] * 2 + ["GET /api/current-user/whoami"]


BAD_REFRESH = {
    "page": (PAGE, ServerUnusable),
    "no token": (Answer(200, {}), ServerUnusable),
    "no object": (Answer(200, [1]), ServerUnusable),
    "refused": (Answer(401, fault(401, f"no {token_of()}")), TokenRefused),
    "reset": (ENDS["reset"], ServerUnusable),
    "gone": (Answer(404, b"<html>"), ServerUnusable),
}


@pytest.mark.parametrize(("answer", "error"), BAD_REFRESH.values(), ids=BAD_REFRESH.keys())
def test_a_refresh_that_fails_is_told(fake: FakeStudio, answer: Answer, error: type[JudgeError]):
    fake.plan("POST", answer, times=99)
    with studio_on(fake, token_of()) as studio, pytest.raises(error) as failed:
        studio.whoami()
    assert token_of() not in str(failed.value)


@pytest.mark.parametrize(
    "token",
    [
        *("", " ", "two words", "line\nbreak", "ünïcode"),
        *(token_of(exp=exp) for exp in (1, None, "soon", 1e300)),
    ],
)
def test_what_can_be_no_token_is_refused_before_anything_is_sent(fake: FakeStudio, token: str):
    with pytest.raises((TokenRefused, ServerUnusable)) as refused, studio_on(fake, token) as studio:
        studio.whoami()
    assert not fake.count("GET /api/current")
    assert not token.strip() or token not in str(refused.value)


def test_a_token_may_have_a_line_end(fake: FakeStudio) -> None:
    with studio_on(fake, f"{TOKEN}\n") as studio:
        assert studio.whoami() == "admin@localhost"


ADDRESSES = {
    "": "has to begin with",
    "127.0.0.1:8080": "has to begin with",
    "ftp://host": "has to begin with",
    "http://": "has to begin with",
    "http://host:99999": "is no address",
    "http://[::1": "is no address",
    "http://host:0": "has to begin with",
    "http://me:hunter2@host": "password",
    "http://host?token=hunter2": "query",
    "http://host/#hunter2": "fragment",
}


@pytest.mark.parametrize(("url", "why"), ADDRESSES.items())
def test_what_can_be_no_address(url: str, why: str) -> None:
    with pytest.raises(ServerUnusable, match=why) as refused:
        Studio(url, TOKEN)
    assert "hunter2" not in str(refused.value)


def test_an_address_has_one_form() -> None:
    for url in ("http://Host:8080", " http://host:8080/ ", "http://host:8080//"):
        assert Studio(url, TOKEN, allow_http=True).url == "http://host:8080"
    assert Studio("https://host/labels/", TOKEN).url == "https://host/labels"


def test_a_server_below_a_path_is_asked_there_for_tokens_too(fake: FakeStudio) -> None:
    with Studio(f"{fake.url}/labels", token_of()) as studio, pytest.raises(TokenRefused):
        studio.whoami()
    assert fake.asked == ["POST /labels/api/token/refresh/"]


def test_the_environment_sends_no_request_elsewhere(
    fake: FakeStudio, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "LABEL_STUDIO_URL"):
        monkeypatch.setenv(name, closed_port())
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "other")
    assert studio.whoami() == "admin@localhost"


@pytest.mark.parametrize("answer", [Answer(401, fault(401, f"bad {TOKEN}")), PAGE, ENDS["reset"]])
def test_nothing_gives_the_token_away(
    fake: FakeStudio, answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fake.plan("GET", answer, times=99)
    with studio_on(fake) as studio, pytest.raises(JudgeError) as failed:
        studio.whoami()
    error = failed.value
    assert error.__context__ is None
    assert error.__cause__ is None
    shown = "".join(traceback.format_exception(error)) + caplog.text + repr(studio) + repr(error)
    assert TOKEN not in shown


def test_the_sdk_is_imported_only_to_ask() -> None:
    code = (
        "import sys; from annotator.label_studio.client import Studio; "
        "Studio('http://127.0.0.1:1', 'k').close(); "
        "print(sorted({'label_studio_sdk', 'httpx', 'pandas'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_message_repeats_what_may_be_a_password() -> None:
    for url in ("ada:hunter2@host:80", "http://ada:hunter2@host", "ftp://ada:hunter2@host"):
        with pytest.raises(AddressInvalid) as raised:
            plain_address(url)
        assert "hunter2" not in f"{raised.value} {raised.value.shown}"

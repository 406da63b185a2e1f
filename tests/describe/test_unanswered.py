"""Sendings that end without an answer, with both real SDKs: which may have been paid for."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from annotator.describe.llm import Reply
from annotator.describe.outcome import Described, Failed, MaybePaid, fields_of, outcome_of
from tests.describe import raw_server
from tests.describe.loopback import SAID, Provider
from tests.describe.loopback import Answer as Sent
from tests.describe.sdks import OPENAI_KEY, Sdk
from tests.loopback_hub import closed_port

LONG = "x" * 8_000_000  # more than a socket takes at once
SHORT = 1.0
SOON = 25.0  # a machine with much to do is late; what would last for ever is not done by then


def check_maybe_paid(reply: Reply, *status: int | None, body: str = "") -> MaybePaid:
    assert isinstance(reply.outcome, MaybePaid), reply
    assert reply.outcome.status in status
    assert reply.outcome.problem
    assert (reply.text, reply.tokens_in, reply.tokens_out) == (body, 0, 0)
    return reply.outcome


def check_unsent(reply: Reply, way: str = "") -> Failed:
    assert isinstance(reply.outcome, Failed), reply
    assert reply.outcome.problem.startswith(f"no connection, or one that broke{way}: ")
    assert reply.outcome == Failed(reply.outcome.problem, again=True)
    return reply.outcome


BREAKS = {
    "closed": [None],
    "reset before headers": [None],
    "reset in headers": [None],
    "cut": [200],
    "reset": [200, None],  # a reset takes along what came before it and was not read yet
}


@pytest.mark.parametrize(("ends", "status"), BREAKS.items())
def test_a_connection_that_breaks_when_the_request_is_out(
    provider: Provider, sdk: Sdk, ends: str, status: list[int | None]
) -> None:
    provider.answers(Sent(body=sdk.good.body, ends=ends))
    outcome = check_maybe_paid(sdk.reply(provider.url), *status)
    assert outcome.problem.startswith("the connection broke before the answer was whole: ")
    assert len(provider.asked) == 1


UNREADABLE: dict[str, Sent] = {
    "nothing": Sent(body=b""),
    "half a body of JSON": Sent(body=b'{"choices": [{"mess'),
    "no object": Sent(body=[]),
    "an empty object": Sent(body={}),
    "empty lists": Sent(body={"choices": [], "content": [], "type": "message"}),
    "null for an error": Sent(body={"error": None}),
    "accepted, no more": Sent(202, b"null"),
}


@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_success_that_is_no_whole_answer(provider: Provider, sdk: Sdk, answer: Sent) -> None:
    provider.answers(answer)
    body = answer.content().decode()
    outcome = check_maybe_paid(sdk.reply(provider.url), answer.status, body=body)
    assert outcome.problem == "what came back is no whole answer"


def test_a_length_that_is_too_short(provider: Provider, sdk: Sdk) -> None:
    answer = Sent(body=sdk.good.body, ends="too short a length")
    provider.answers(answer)
    reply = sdk.reply(provider.url)
    assert answer.content().decode().startswith(reply.text)
    assert reply.text
    check_maybe_paid(reply, 200, body=reply.text)


def test_a_body_that_cannot_be_unpacked(provider: Provider, sdk: Sdk) -> None:
    packed, headers = gzip.compress(sdk.good.content()), {"Content-Encoding": "gzip"}
    provider.answers(Sent(200, packed, headers), Sent(200, b"no" + packed, headers))
    assert sdk.reply(provider.url).outcome == Described(**SAID)
    check_maybe_paid(sdk.reply(provider.url), 200)


@pytest.mark.parametrize("status", [504, 524])
@pytest.mark.parametrize("ends", ["", "cut"])
def test_a_proxy_that_gave_up(provider: Provider, sdk: Sdk, status: int, ends: str) -> None:
    page = {"Content-Type": "text/html"}
    provider.answers(Sent(status, b"<html>Timed out</html>", page, ends=ends))
    outcome = check_maybe_paid(sdk.reply(provider.url), status)
    assert outcome.problem.startswith(f"HTTP {status}: ")


BROKEN_ERRORS: dict[str, tuple[int, dict[str, Any]]] = {
    "rate limit": (429, {"again": True}),
    "server error": (500, {"again": True}),
    "bad gateway": (502, {"again": True}),
    "a wrong key": (401, {"fatal": True}),
    "too long": (400, {}),
}


@pytest.mark.parametrize(("status", "expected"), BROKEN_ERRORS.values(), ids=BROKEN_ERRORS.keys())
def test_an_error_whose_words_break_off_is_still_that_error(
    provider: Provider, sdk: Sdk, status: int, expected: dict[str, Any]
) -> None:
    provider.answers(Sent(status, {"error": {"message": "No."}}, ends="cut"))
    outcome = sdk.reply(provider.url).outcome
    assert isinstance(outcome, Failed)
    assert outcome == Failed(outcome.problem, status=status, **expected)


@pytest.mark.parametrize("ends", ["silent", "drip in headers", "drip", "flood"])
def test_what_would_last_for_ever_ends_in_time(provider: Provider, sdk: Sdk, ends: str) -> None:
    provider.answers(Sent(body=b"", ends=ends))
    reply = sdk.reply(provider.url, SHORT)
    outcome = check_maybe_paid(reply, None if ends in ("silent", "drip in headers") else 200)
    assert outcome.problem == "no answer within 1 seconds"
    assert SHORT <= reply.seconds < SOON
    assert len(provider.asked) == 1


def test_an_error_that_drips_is_still_that_error(provider: Provider, sdk: Sdk) -> None:
    provider.answers(Sent(429, b"", ends="drip"))
    reply = sdk.reply(provider.url, SHORT)
    assert reply.outcome == Failed("HTTP 429: Too Many Requests", status=429, again=True)
    assert reply.seconds < SOON


def test_a_slow_answer_is_one(provider: Provider, sdk: Sdk) -> None:
    provider.answers(Sent(body=sdk.good.body, after=1.0))
    reply = sdk.reply(provider.url)
    assert reply.outcome == Described(**SAID)
    assert reply.seconds >= 1.0


def test_nobody_listens(sdk: Sdk) -> None:
    assert "refused" in check_unsent(sdk.reply(closed_port())).problem


def test_nobody_accepts(sdk: Sdk) -> None:
    with raw_server.full() as server:
        reply = sdk.reply(f"http://{server}", SHORT)
    assert "timed out" in check_unsent(reply).problem
    assert reply.seconds < SOON


UNSENT = {
    "reads nothing": (raw_server.says_nothing, LONG),
    "reads slowly": (raw_server.reads_slowly, 4 * LONG),
    "resets in the request": (raw_server.resets_in_the_request, LONG),
}


@pytest.mark.parametrize(("talk", "prompt"), UNSENT.values(), ids=UNSENT.keys())
def test_a_request_that_was_not_wholly_written(
    sdk: Sdk, talk: raw_server.Talk, prompt: str
) -> None:
    with raw_server.talking(talk) as server:
        reply = sdk.reply(f"http://{server}", SHORT, prompt=prompt)
    check_unsent(reply)
    assert reply.seconds < SOON


def test_a_server_without_tls(sdk: Sdk) -> None:
    with raw_server.talking(raw_server.says_nothing) as server:
        reply = sdk.reply(f"https://{server}", SHORT)
    check_unsent(reply)
    assert reply.seconds < SOON


def test_a_key_in_no_http_is_hidden(sdk: Sdk) -> None:
    line = "HTTP/9 " + "x" * 440 + OPENAI_KEY  # where a long message is cut
    with raw_server.talking(raw_server.answers(f"{line}\r\n\r\n".encode())) as server:
        outcome = check_maybe_paid(sdk.reply(f"http://{server}"), None)
    assert "xxx" in outcome.problem
    assert OPENAI_KEY[:6] not in outcome.problem


def test_it_is_written_as_json_and_read_again(provider: Provider, sdk: Sdk) -> None:
    provider.answers(Sent(body=b""))
    outcome = sdk.reply(provider.url).outcome
    assert outcome_of(outcome.kind, json.loads(json.dumps(fields_of(outcome)))) == outcome

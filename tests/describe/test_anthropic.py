"""The real anthropic SDK against a server of ours."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import anthropic as sdk
import pytest
from anthropic.types import Message
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from pydantic import TypeAdapter

from annotator.describe import anthropic as module
from annotator.describe.anthropic import Anthropic
from annotator.describe.llm import Llm
from annotator.describe.outcome import (
    Answer,
    Described,
    Failed,
    Malformed,
    Outcome,
    Refused,
    Truncated,
    Unclear,
)
from tests.describe.loopback import SAID, Provider, anthropic_error, check_fault, described, message
from tests.describe.loopback import Answer as Sent
from tests.loopback_hub import closed_port

KEY = "sk-ant-api03-0123456789abcdefghijklmnop"
GOOD = Sent(body=message(json.dumps(SAID)))


@pytest.fixture
def llm(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Anthropic]:
    monkeypatch.setattr(module, "ANTHROPIC_URL", provider.url)
    one = Anthropic("claude-tiny-1", key=KEY)
    yield one
    one.close()


def send(llm: Anthropic, **changes: Any):
    return llm.send(llm.request("Be brief.", "Which?", "t" * 64), **changes)


def test_what_is_sent_and_what_comes_back(provider: Provider, llm: Anthropic) -> None:
    assert isinstance(llm, Llm)
    assert llm.name == "anthropic:claude-tiny-1"
    Message.model_validate(GOOD.body, strict=True)
    provider.answers(GOOD)
    reply = send(llm)
    assert reply.outcome == Described(**SAID)
    assert json.loads(reply.text) == SAID
    assert (reply.tokens_in, reply.tokens_out) == (321, 45)
    assert reply.seconds > 0
    (asked,) = provider.asked
    assert (asked.method, asked.path, asked.key) == ("POST", "/v1/messages", KEY)
    assert asked.headers["anthropic-version"]
    TypeAdapter(MessageCreateParamsNonStreaming).validate_python(asked.body, strict=True)
    schema = asked.body.pop("output_config")["format"].pop("schema")
    assert asked.body == {
        "model": "claude-tiny-1",
        "max_tokens": 1024,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Which?"}],
    }
    assert list(schema["properties"]) == list(SAID)


def test_the_request_is_the_one_that_the_sdk_makes_of_the_class(
    provider: Provider, llm: Anthropic
) -> None:
    provider.answers(GOOD, GOOD)
    with sdk.Anthropic(api_key=KEY, base_url=provider.url, max_retries=0) as client:
        parsed = client.messages.parse(
            model="claude-tiny-1",
            max_tokens=1024,
            system="Be brief.",
            messages=[{"role": "user", "content": "Which?"}],
            output_format=Answer,
        )
    assert parsed.parsed_output == Answer(**SAID)
    send(llm)
    theirs, ours = (asked.body for asked in provider.asked)
    assert ours == theirs


def test_the_limit_is_the_one_setting(provider: Provider, llm: Anthropic) -> None:
    request = llm.request("", "Which?", "t", sample=2)
    assert request.sampling == {"max_tokens": 1024}
    provider.answers(GOOD, GOOD)
    llm.send(request, max_tokens=100_000, temperature=0.7, seed=1, top_p=0.1)
    llm.send(request)
    changed, unchanged = (asked.body for asked in provider.asked)
    assert changed.pop("max_tokens") == 100_000
    assert unchanged.pop("max_tokens") == 1024
    assert changed == unchanged
    assert "system" not in changed


def test_the_environment_sends_no_request_elsewhere(
    provider: Provider, llm: Anthropic, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = closed_port()
    for name in ("ANTHROPIC_BASE_URL", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, nowhere)
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "another")
    provider.answers(GOOD)
    assert send(llm).outcome == Described(**SAID)
    assert provider.asked[0].key == KEY


def test_another_server_is_named_and_keyed_by_its_address(provider: Provider) -> None:
    llm = Anthropic("m", KEY, provider.url + "/")
    assert llm.name == f"anthropic:m@{provider.url}"
    assert llm.request("", "", "").base_url == provider.url
    provider.answers(GOOD)
    assert send(llm).outcome == Described(**SAID)
    llm.close()
    assert Anthropic("m", KEY, "https://api.anthropic.com/").request("", "", "").base_url == ""


DETAILS = {"type": "refusal", "category": "cyber", "explanation": None}
EXPLAINED = {**DETAILS, "explanation": "It could do harm."}
THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
TEXT = {"type": "text", "text": described(), "citations": None}
NO_ROOM = Failed("the prompt and its answer do not fit the model's context")
ANSWERS = {
    "unclear": (message(described(pattern="unclear")), Unclear),
    "after thinking": (message("", content=[THINKING, TEXT]), Described(**SAID)),
    "refusal": (message("", "refusal"), Refused("the model declined")),
    "a kind of refusal": (message("", "refusal", stop_details=DETAILS), Refused("cyber")),
    "explained": (message("", "refusal", stop_details=EXPLAINED), Refused("It could do harm.")),
    "cut": (message('{"reasoning": "Capit', "max_tokens"), Truncated(1024)),
    "no room": (message('{"reasoning": "Capit', "model_context_window_exceeded"), NO_ROOM),
    "prose": (message("It maps countries to capitals."), Malformed),
    "nothing": (message(""), Malformed),
    "another category": (message(described(category="nice")), Malformed),
    "a field too few": (message('{"reasoning": ""}'), Malformed),
}


@pytest.mark.parametrize(("body", "expected"), ANSWERS.values(), ids=ANSWERS.keys())
def test_what_an_answer_comes_to(
    provider: Provider, llm: Anthropic, body: dict[str, Any], expected: type[Outcome] | Outcome
) -> None:
    Message.model_validate(body, strict=True)
    provider.answers(Sent(body=body))
    reply = send(llm)
    if isinstance(expected, type):
        assert isinstance(reply.outcome, expected)
    else:
        assert reply.outcome == expected
    assert reply.text == "".join(block.get("text", "") for block in body["content"])
    assert (reply.tokens_in, reply.tokens_out) == (321, 45)
    assert len(provider.asked) == 1


FATAL, AGAIN, ONCE = {"fatal": True}, {"again": True}, {}
SLOW = anthropic_error("Rate limited.", "rate_limit_error")
RAMP = anthropic_error("Slower.", "rate_limit_error", "ramp_limit_exceeded")
SPENT = anthropic_error("Spent.", "rate_limit_error", "enforced_spend_limit_reached")
POOR = anthropic_error("Your credit balance is too low to access.", "invalid_request_error")
NO_SCHEMA = anthropic_error("output_config.format: not for this model", "invalid_request_error")
LONG = anthropic_error("prompt is too long: 9 tokens > 8 maximum", "invalid_request_error")
FAULTS = {
    "a wrong key": (Sent(401, anthropic_error("invalid key", "authentication_error")), FATAL),
    "a forbidden model": (Sent(403, anthropic_error("no", "permission_error")), FATAL),
    "an unknown model": (Sent(404, anthropic_error("model: x", "not_found_error")), FATAL),
    "no money": (Sent(402, anthropic_error("Pay.", "billing_error")), FATAL),
    "no credit": (Sent(400, POOR), FATAL),
    "a spend limit": (Sent(429, SPENT), FATAL),
    "a model without schemas": (Sent(400, NO_SCHEMA), FATAL),
    "too long": (Sent(400, LONG), ONCE),
    "too large": (Sent(413, anthropic_error("Too large", "request_too_large")), ONCE),
    "rate limit": (Sent(429, SLOW), AGAIN),
    "rate limit, seconds": (Sent(429, SLOW, {"retry-after": "20"}), {**AGAIN, "after": 20.0}),
    "rate limit, date": (
        Sent(429, RAMP, {"retry-after": "Wed, 21 Oct 2026 08:28:00 GMT"}),
        {**AGAIN, "after": 3600.0},
    ),
    "server error": (Sent(500, anthropic_error("Internal", "api_error")), AGAIN),
    "bad gateway": (Sent(502, b"<html>Bad gateway</html>"), AGAIN),
    "unavailable": (Sent(503, b"", {"retry-after": "7"}), {**AGAIN, "after": 7.0}),
    "overloaded": (Sent(529, anthropic_error("Overloaded", "overloaded_error")), AGAIN),
    "overloaded, silent": (Sent(529, b""), AGAIN),
    "an error in a success": (Sent(200, anthropic_error("Busy", "overloaded_error")), AGAIN),
}


@pytest.mark.parametrize(("answer", "expected"), FAULTS.values(), ids=FAULTS.keys())
def test_what_a_fault_comes_to(
    provider: Provider, llm: Anthropic, answer: Sent, expected: dict[str, Any]
) -> None:
    provider.answers(answer)
    check_fault(send(llm), answer, expected)
    assert len(provider.asked) == 1


def test_forbidden_content_is_refused(provider: Provider, llm: Anthropic) -> None:
    said = "Output blocked by content filtering policy"
    provider.answers(Sent(400, anthropic_error(said, "invalid_request_error")))
    assert send(llm).outcome == Refused(said)


def test_half_a_character_is_no_crash(provider: Provider, llm: Anthropic) -> None:
    outcome = llm.send(llm.request("", "half a character: \ud800", "t")).outcome
    assert isinstance(outcome, Failed)
    assert (outcome.again, outcome.fatal, provider.asked) == (False, False, [])


ECHOES = {
    "an error": Sent(
        401, anthropic_error(f"invalid x-api-key: {KEY}", "authentication_error", KEY)
    ),
    "a long error": Sent(500, anthropic_error("x" * 475 + KEY, "api_error")),
    "a refusal": Sent(
        body=message("", "refusal", stop_details={**DETAILS, "explanation": f"No, {KEY}"})
    ),
    "an answer": Sent(body=message(described(reasoning=KEY, inputs=KEY, pattern=KEY))),
    "another answer": Sent(body=message(described(**{KEY: KEY}))),
    "prose": Sent(body=message(f"My key is {KEY}")),
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
def test_the_key_is_nowhere_even_if_the_server_echoes_it(
    provider: Provider, llm: Anthropic, echo: Sent, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider.answers(echo)
    request = llm.request("Be brief.", "Which?", "t")
    reply = llm.send(request)
    assert provider.asked[0].key == KEY
    seen = [repr(reply), repr(llm), str(llm), llm.name, repr(request), str(request.content())]
    assert caplog.text
    for text in [*seen, caplog.text]:
        assert KEY[:16] not in text

"""What comes back through the real openai SDK: answers, faults, and never the key."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from annotator.describe.answer_reading import read_answer
from annotator.describe.openai import OpenAi
from annotator.describe.outcome import (
    Described,
    Failed,
    Malformed,
    Refused,
    Truncated,
    Unclear,
    fields_of,
    outcome_of,
)
from tests.describe.loopback import (
    SAID,
    Provider,
    check_fault,
    completion,
    described,
    openai_error,
)
from tests.describe.loopback import Answer as Sent
from tests.describe.sdks import OPENAI_KEY

KEY = OPENAI_KEY
GOOD = Sent(body=completion(json.dumps(SAID)))


def send(llm: OpenAi, **changes: Any):
    return llm.send(llm.request("Be brief.", "Which?", "t" * 64), **changes)


def strictly_valid(body: dict[str, Any]) -> None:
    ChatCompletion.model_validate(body, strict=True)


PARTS = [{"type": "thinking", "thinking": []}, {"type": "text", "text": described()}]
ANSWERS = {
    "unclear": (completion(described(pattern="Unclear.")), Unclear),
    "refusal": (completion(None, refusal="I cannot help with that."), Refused),
    "content filter": (completion("", "content_filter"), Refused),
    "cut": (completion('{"reasoning": "Capit', "length"), Truncated(1024)),
    "prose": (completion("It maps countries to capitals."), Malformed),
    "nothing": (completion(None), Malformed),
    "another category": (completion(described(category="nice")), Malformed),
    "another type": (completion(described(inputs=1)), Malformed),
    "a field too many": (completion(described(more="")), Malformed),
    "a field too few": (completion('{"reasoning": ""}'), Malformed),
}


@pytest.mark.parametrize(("body", "expected"), ANSWERS.values(), ids=ANSWERS.keys())
def test_what_an_answer_comes_to(
    provider: Provider, own: OpenAi, body: dict[str, Any], expected: Any
) -> None:
    strictly_valid(body)
    provider.answers(Sent(body=body))
    reply = send(own)
    is_it = isinstance(reply.outcome, expected) if isinstance(expected, type) else False
    assert is_it or reply.outcome == expected
    choice = body["choices"][0]["message"]
    assert reply.text == (choice["content"] or choice["refusal"] or "")
    assert (reply.tokens_in, reply.tokens_out) == (321, 45)
    assert outcome_of(reply.outcome.kind, fields_of(reply.outcome)) == reply.outcome
    assert len(provider.asked) == 1


def test_servers_that_say_less_than_the_protocol_are_read(provider: Provider, llm: OpenAi) -> None:
    bare = {"choices": [{"message": {"content": described()}}]}
    parts = {**bare, "choices": [{"message": {"content": PARTS}}], "usage": None}
    nulls = {**bare, "usage": {"prompt_tokens": None, "total_tokens": 3}}
    provider.answers(*(Sent(body=body) for body in (bare, parts, nulls)))
    for _ in range(3):
        reply = send(llm)
        assert reply.outcome == Described(**SAID)
        assert (reply.tokens_in, reply.tokens_out) == (0, 0)


FATAL, AGAIN, ONCE = {"fatal": True}, {"again": True}, {}
LATER = "Wed, 21 Oct 2026 08:28:00 GMT"  # an hour after the server's clock
SLOW = openai_error("Rate limit reached", "rate_limit_exceeded", "requests")
LONG = openai_error("Too long: 9000 tokens", "context_length_exceeded", "invalid_request_error")
FAULTS = {
    "a wrong key": (Sent(401, openai_error("Incorrect key", "invalid_api_key")), FATAL),
    "a forbidden model": (Sent(403, openai_error("No access", "unsupported_country")), FATAL),
    "an unknown model": (Sent(404, openai_error("No such model", "model_not_found")), FATAL),
    "an unknown model of Ollama": (Sent(404, {"error": "model 'x' not found"}), FATAL),
    "no money": (Sent(429, openai_error("Quota", "insufficient_quota")), FATAL),
    "no money at all": (Sent(402, openai_error("Pay")), FATAL),
    "another address": (Sent(308, b"", {"Location": "/v2"}), FATAL),
    "a web page": (Sent(200, b"<!doctype html>", {"Content-Type": "text/html"}), FATAL),
    "not implemented": (Sent(501, openai_error("no chat here")), FATAL),
    "too long": (Sent(400, LONG), ONCE),
    "too large": (Sent(413, b"<html>Too large</html>"), ONCE),
    "rate limit, seconds": (Sent(429, SLOW, {"Retry-After": "20"}), {**AGAIN, "after": 20.0}),
    "rate limit, ms": (Sent(429, SLOW, {"retry-after-ms": "1500"}), {**AGAIN, "after": 1.5}),
    "rate limit, date": (Sent(429, SLOW, {"Retry-After": LATER}), {**AGAIN, "after": 3600.0}),
    "rate limit, past": (Sent(429, SLOW, {"Retry-After": "-3"}), {**AGAIN, "after": 0.0}),
    "rate limit, nonsense": (Sent(429, SLOW, {"Retry-After": "soon"}), AGAIN),
    "rate limit, never": (Sent(429, SLOW, {"Retry-After": "inf"}), AGAIN),
    "rate limit": (Sent(429, SLOW), AGAIN),
    "server error": (Sent(500, openai_error("The server had an error")), AGAIN),
    "bad gateway": (Sent(502, b"<html>Bad gateway</html>", {"Content-Type": "text/html"}), AGAIN),
    "unavailable": (Sent(503, b"", {"Retry-After": "7"}), {**AGAIN, "after": 7.0}),
    "an error in a success": (
        Sent(200, {"error": {"code": 429, "message": "Slow down"}}),
        {**AGAIN, "status": 429},
    ),
}


@pytest.mark.parametrize(("answer", "expected"), FAULTS.values(), ids=FAULTS.keys())
def test_what_a_fault_comes_to(
    provider: Provider, llm: OpenAi, answer: Sent, expected: dict[str, Any]
) -> None:
    provider.answers(answer)
    check_fault(send(llm), answer, expected)
    assert len(provider.asked) == 1


@pytest.mark.parametrize("code", ["content_filter", "content_policy_violation", "invalid_prompt"])
def test_forbidden_content_is_refused(provider: Provider, llm: OpenAi, code: str) -> None:
    provider.answers(Sent(400, openai_error("Not allowed.", code)))
    assert send(llm).outcome == Refused("Not allowed")


ECHOES = {
    "an error": Sent(401, openai_error(f"Incorrect API key provided: {KEY}.", KEY, KEY, KEY)),
    "a long error": Sent(500, openai_error("x" * 475 + KEY)),
    "an error that is text": Sent(500, {"error": f"no {KEY}"}),
    "a refusal": Sent(body=completion(None, refusal=f"No, {KEY}.")),
    "an answer": Sent(body=completion(described(reasoning=KEY, inputs=KEY, pattern=KEY))),
    "an abstention": Sent(body=completion(described(inputs=KEY, pattern="unclear"))),
    "another answer": Sent(body=completion(described(**{KEY: KEY}))),
    "prose": Sent(body=completion(f"My key is {KEY}")),
    "forbidden content": Sent(400, openai_error(f"Not {KEY}", "content_filter")),
    "a success that is none": Sent(200, {"error": KEY}),
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
def test_the_key_is_nowhere_even_if_the_server_echoes_it(
    provider: Provider, llm: OpenAi, echo: Sent, caplog: pytest.LogCaptureFixture
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


def test_a_key_that_is_a_word_leaves_the_models_words_alone(provider: Provider) -> None:
    provider.answers(GOOD, Sent(401, openai_error("Wrong key: the")))
    llm = OpenAi("m", provider.url, "the")
    assert send(llm).outcome == Described(**SAID)
    wrong = send(llm).outcome
    llm.close()
    assert isinstance(wrong, Failed)
    assert wrong.problem == "HTTP 401: Wrong key: [key]"


@pytest.mark.parametrize(
    "reply",
    [
        described(),
        f"\n{described()} ",
        f"```json\n{described()}\n```",
        f"<think>\nLet me see: {{}} ``` </answer>\n</think>\n\n{described()}",
        f"<think></think>```\n{described()}\n```",
    ],
)
def test_thoughts_and_fences_round_the_json_are_passed_over(reply: str) -> None:
    assert read_answer(reply) == Described(**SAID)


@pytest.mark.parametrize(
    "pattern",
    ["unclear", "Unclear.", '"unclear"', "`unclear`", "unclear,", "The pattern is unclear."],
)
def test_an_abstention_in_whatever_marks_is_one(pattern: str) -> None:
    assert isinstance(read_answer(described(pattern=pattern)), Unclear)


@pytest.mark.parametrize("pattern", ["unclear words to clear ones", "nuclear", "not unclear"])
def test_what_only_names_the_unclear_is_no_abstention(pattern: str) -> None:
    assert isinstance(read_answer(described(pattern=pattern)), Described)


@pytest.mark.parametrize("field", ["inputs", "pattern"])
@pytest.mark.parametrize("blank", ["", " ", "\n\t"])
def test_a_blank_is_no_answer(field: str, blank: str) -> None:
    outcome = read_answer(described(**{field: blank}))
    assert outcome == Malformed(f"{field}: nothing but blanks")


@pytest.mark.parametrize(
    "reply", ["<think>" + described(), "<think>and so on", "Sure! It is clear."]
)
def test_what_has_no_json_but_in_thoughts_is_malformed(reply: str) -> None:
    assert isinstance(read_answer(reply), Malformed)

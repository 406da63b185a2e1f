"""The real openai SDK against a server of ours."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai as sdk
import pytest
import xllamacpp
from openai.types.chat import ChatCompletion
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import TypeAdapter

from annotator.describe import openai as module
from annotator.describe.llm import Llm
from annotator.describe.openai import OpenAi
from annotator.describe.outcome import (
    Answer,
    Described,
    Failed,
    Malformed,
    Refused,
    Truncated,
    Unclear,
    fields_of,
    outcome_of,
)
from tests.describe import loopback
from tests.describe.loopback import Answer as Sent
from tests.describe.loopback import Asked, Provider, completion, openai_error
from tests.loopback_hub import closed_port

KEY = "sk-proj-0123456789abcdefghijklmnop"
SAID = {
    "reasoning": "Capitals follow countries.",
    "inputs": "countries",
    "pattern": "the capital of the country",
    "category": "semantic",
}
GOOD = Sent(body=completion(json.dumps(SAID)))


@pytest.fixture
def provider() -> Iterator[Provider]:
    with loopback.running() as server:
        yield server


@pytest.fixture
def llm(provider: Provider) -> Iterator[OpenAi]:
    """A server that only speaks the protocol."""
    one = OpenAi("tiny", provider.url + "/v1", KEY)
    yield one
    one.close()


@pytest.fixture
def own(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAi]:
    """OpenAI itself."""
    monkeypatch.setattr(module, "OWN", provider.url + "/v1")
    one = OpenAi("gpt-tiny", key=KEY)
    yield one
    one.close()


def send(llm: OpenAi, **changes: Any):
    return llm.send(llm.request("Be brief.", "Which?", "t" * 64), **changes)


def strictly_valid(body: dict[str, Any]) -> None:
    ChatCompletion.model_validate(body, strict=True)


def is_a_request_of_the_sdk(body: dict[str, Any]) -> None:
    """Its types know every field, and every field has the type that they give it."""
    TypeAdapter(CompletionCreateParamsNonStreaming).validate_python(body, strict=True)
    assert body.keys() <= CompletionCreateParamsNonStreaming.__annotations__.keys()


def test_it_is_an_llm_whose_name_says_what_is_asked(llm: OpenAi, own: OpenAi) -> None:
    assert isinstance(llm, Llm)
    assert llm.name == f"openai:tiny@{llm.base_url}"
    assert own.name == "openai:gpt-tiny"


def test_openai_itself_is_sent_what_its_api_knows(provider: Provider, own: OpenAi) -> None:
    strictly_valid(GOOD.body)
    provider.answers(GOOD)
    reply = send(own)
    assert reply.outcome == Described(**SAID)
    assert json.loads(reply.text) == SAID
    assert (reply.tokens_in, reply.tokens_out) == (321, 45)
    assert reply.seconds > 0
    (asked,) = provider.asked
    assert (asked.method, asked.path, asked.key) == ("POST", "/v1/chat/completions", KEY)
    is_a_request_of_the_sdk(asked.body)
    schema = {"name": "answer", "strict": True, "schema": Answer.model_json_schema()}
    assert asked.body == {
        "model": "gpt-tiny",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Which?"},
        ],
        "response_format": {"type": "json_schema", "json_schema": schema},
        "max_completion_tokens": 1024,
    }


def test_the_schema_is_the_one_that_the_sdk_makes_of_the_class(provider: Provider) -> None:
    provider.answers(GOOD)
    with sdk.OpenAI(api_key=KEY, base_url=provider.url, max_retries=0) as client:
        parsed = client.chat.completions.parse(model="m", messages=[], response_format=Answer)
    assert parsed.choices[0].message.parsed == Answer(**SAID)
    theirs = provider.asked[0].body["response_format"]["json_schema"]
    assert theirs["schema"] == Answer.model_json_schema()
    assert theirs["strict"] is True


def test_another_server_is_told_the_schema_in_words_too(provider: Provider, llm: OpenAi) -> None:
    provider.answers(GOOD)
    assert send(llm).outcome == Described(**SAID)
    body = provider.asked[0].body
    is_a_request_of_the_sdk(body)
    assert body["max_tokens"] == 1024
    assert "max_completion_tokens" not in body
    assert body["response_format"]["type"] == "json_schema"
    words = body["messages"][0]["content"]
    assert words.startswith(f"Be brief.\n\n{loopback.SCHEMA_WORDS}")
    assert json.loads(words[words.index("{") :]) == Answer.model_json_schema()


def test_settings_are_sent_as_asked_and_changed_for_one_attempt(provider: Provider) -> None:
    url = provider.url + "/v1/"
    llm = OpenAi("m", url, KEY, max_tokens=7, temperature=0.0, top_p=0.5, seed=3)
    request = llm.request("", "Which?", "t", sample=2)
    assert request.sampling == {"max_tokens": 7, "temperature": 0.0, "top_p": 0.5, "seed": 5}
    provider.answers(GOOD, GOOD)
    llm.send(request, temperature=0.7, max_tokens=14, nonsense=1)
    llm.send(request)
    llm.close()
    changed, unchanged = (asked.body for asked in provider.asked)
    is_a_request_of_the_sdk(changed)
    assert (changed["temperature"], changed["max_tokens"], changed["seed"]) == (0.7, 14, 5)
    assert "nonsense" not in changed
    assert (unchanged["temperature"], unchanged["max_tokens"]) == (0.0, 7)


def test_one_place_is_one_key_however_it_is_written() -> None:
    def key(base_url: str | None, **settings: Any) -> str:
        return OpenAi("m", base_url, KEY, **settings).request("s", "p", "t").key

    assert key("http://Example.org/v1") == key("http://example.org/v1/")
    assert key("https://api.openai.com/v1/") == key(None)
    assert len({key(None), key("http://a/v1"), key(None, seed=0), key(None, max_tokens=1)}) == 4


def test_the_environment_sends_no_request_elsewhere(
    provider: Provider, llm: OpenAi, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = closed_port()
    for name in ("OPENAI_BASE_URL", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, nowhere)
    provider.answers(GOOD)
    assert send(llm).outcome == Described(**SAID)


def no_schema(said: str, param: str | None = None) -> Sent:
    return Sent(400, openai_error(said, kind="invalid_request_error", param=param))


SCHEMALESS = {
    "named in words": no_schema("response_format json_schema is unavailable now"),
    "named as the parameter": no_schema("Invalid value", "response_format.type"),
    "fastapi": Sent(
        422,
        {"detail": [{"loc": ["body", "response_format"], "msg": "Extra inputs are not permitted"}]},
    ),
    "flat": Sent(400, {"object": "error", "message": "json_schema is not supported", "code": 400}),
}


@pytest.mark.parametrize("refusal", SCHEMALESS.values(), ids=SCHEMALESS.keys())
def test_a_server_without_schemas_is_asked_for_json_and_remembered(
    provider: Provider, llm: OpenAi, refusal: Sent
) -> None:
    provider.answers(refusal, GOOD, GOOD)
    key = llm.request("Be brief.", "Which?", "t").key
    assert send(llm).outcome == Described(**SAID)
    assert send(llm).outcome == Described(**SAID)
    first, second, third = (asked.body for asked in provider.asked)
    assert second.pop("response_format") == {"type": "json_object"}
    assert third.pop("response_format") == {"type": "json_object"}
    assert first.pop("response_format")["type"] == "json_schema"
    assert first == second == third  # the model reads the same words in every dialect
    assert llm.request("Be brief.", "Which?", "t").key == key


def test_a_server_that_knows_no_format_at_all_is_asked_for_text(
    provider: Provider, llm: OpenAi
) -> None:
    refusal = no_schema("unknown field response_format")
    fenced = Sent(body=completion(f"```json\n{json.dumps(SAID)}\n```"))
    strictly_valid(fenced.body)
    provider.answers(refusal, refusal, fenced, Sent(body=completion("Capitals, I think.")))
    assert send(llm).outcome == Described(**SAID)
    prose = send(llm)
    assert isinstance(prose.outcome, Malformed)
    assert prose.text == "Capitals, I think."
    formats = [asked.body.get("response_format", {}).get("type") for asked in provider.asked]
    assert formats == ["json_schema", "json_object", None, None]


def test_a_model_of_openai_without_schemas_is_fatal(provider: Provider, own: OpenAi) -> None:
    provider.answers(no_schema("Invalid parameter: 'response_format'", "response_format"))
    outcome = send(own).outcome
    assert isinstance(outcome, Failed)
    assert outcome.fatal


def unsupported(param: str) -> Sent:
    said = f"Unsupported parameter: '{param}' is not supported with this model."
    kind = "invalid_request_error"
    return Sent(400, openai_error(said, "unsupported_parameter", kind, param))


def test_a_gateway_to_a_reasoning_model_is_told_its_name_of_the_limit(
    provider: Provider, llm: OpenAi
) -> None:
    provider.answers(unsupported("max_tokens"), GOOD, GOOD)
    assert send(llm).outcome == Described(**SAID)
    assert send(llm, max_tokens=9).outcome == Described(**SAID)
    limits = [asked.body.get("max_completion_tokens") for asked in provider.asked]
    assert limits == [None, 1024, 9]


def test_a_setting_that_only_an_attempt_adds_is_left_out_where_it_is_refused(
    provider: Provider, own: OpenAi
) -> None:
    provider.answers(unsupported("temperature"), GOOD, GOOD)
    assert send(own, temperature=0.7).outcome == Described(**SAID)
    assert send(own, temperature=0.7).outcome == Described(**SAID)
    assert ["temperature" in asked.body for asked in provider.asked] == [True, False, False]


def test_a_setting_that_was_asked_for_and_is_refused_is_fatal(provider: Provider) -> None:
    provider.answers(unsupported("temperature"))
    llm = OpenAi("m", provider.url, KEY, temperature=0.0)
    outcome = send(llm, temperature=0.7).outcome
    llm.close()
    assert isinstance(outcome, Failed)
    assert outcome.fatal


def described(**changes: Any) -> str:
    return json.dumps({**SAID, **changes})


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
    "timeout of a gateway": (Sent(504, b"null"), AGAIN),
    "half a body of JSON": (Sent(200, b'{"choices": [{"mess'), {**AGAIN, "status": 200}),
    "no choices": (Sent(200, {"choices": []}), {**AGAIN, "status": 200}),
    "no object": (Sent(200, []), {**AGAIN, "status": 200}),
    "an error in a success": (
        Sent(200, {"error": {"code": 429, "message": "Slow down"}}),
        {**AGAIN, "status": 429},
    ),
    "cut": (Sent(200, GOOD.body, ends="cut"), {**AGAIN, "status": None}),
    "reset": (Sent(200, GOOD.body, ends="reset"), {**AGAIN, "status": None}),
}


@pytest.mark.parametrize(("answer", "expected"), FAULTS.values(), ids=FAULTS.keys())
def test_what_a_fault_comes_to(
    provider: Provider, llm: OpenAi, answer: Sent, expected: dict[str, Any]
) -> None:
    provider.answers(answer)
    reply = send(llm)
    outcome = reply.outcome
    assert isinstance(outcome, Failed)
    assert fields_of(outcome) == {
        "problem": outcome.problem,
        "status": answer.status,
        "again": False,
        "after": None,
        "fatal": False,
        **expected,
    }
    assert outcome.problem
    assert "<" not in outcome.problem
    assert reply.text == ""
    assert len(provider.asked) == 1


@pytest.mark.parametrize("code", ["content_filter", "content_policy_violation", "invalid_prompt"])
def test_forbidden_content_is_refused(provider: Provider, llm: OpenAi, code: str) -> None:
    provider.answers(Sent(400, openai_error("Not allowed.", code)))
    assert send(llm).outcome == Refused("Not allowed")


def test_nobody_listens() -> None:
    llm = OpenAi("m", closed_port(), KEY)
    outcome = send(llm).outcome
    llm.close()
    assert isinstance(outcome, Failed)
    assert outcome.again
    assert "refused" in outcome.problem


def test_no_answer_in_time(provider: Provider) -> None:
    provider.answers(Sent(ends="silent"))
    llm = OpenAi("m", provider.url, KEY, timeout=0.2)
    assert send(llm).outcome == Failed("no answer within 0.2 seconds", again=True)
    llm.close()
    assert len(provider.asked) == 1


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


def test_a_timeout_is_the_one_that_was_asked_for(provider: Provider) -> None:
    provider.answers(GOOD)
    llm = OpenAi("m", provider.url, KEY, timeout=5.0)  # httpx2's own: the SDK would take 600
    send(llm)
    llm.close()
    assert provider.asked[0].headers["x-stainless-read-timeout"] == "5.0"


def test_a_closed_one_opens_again(provider: Provider, llm: OpenAi) -> None:
    provider.answers(GOOD, GOOD)
    assert send(llm).outcome == Described(**SAID)
    llm.close()
    llm.close()
    assert send(llm).outcome == Described(**SAID)


def test_half_a_character_is_no_crash(provider: Provider, llm: OpenAi) -> None:
    outcome = llm.send(llm.request("", "half a character: \ud800", "t")).outcome
    assert isinstance(outcome, Failed)
    assert (outcome.again, outcome.fatal, provider.asked) == (False, False, [])


def test_threads_that_meet_a_server_without_schemas_all_get_their_answers(
    provider: Provider, llm: OpenAi
) -> None:
    def answer(asked: Asked) -> Sent:
        schema = asked.body.get("response_format", {}).get("type") == "json_schema"
        return no_schema("response_format: json_schema is unavailable") if schema else GOOD

    provider.answer = answer
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda _: send(llm).outcome, range(24)))
    assert outcomes == [Described(**SAID)] * 24
    assert provider.asked[-1].body["response_format"] == {"type": "json_object"}


def test_the_sdks_are_imported_only_to_send() -> None:
    code = (
        "import sys; from annotator.describe.openai import OpenAi; "
        "from annotator.describe.anthropic import Anthropic; "
        "[one('m', key='k').request('s', 'p', 't') for one in (OpenAi, Anthropic)]; "
        "print(sorted({'openai', 'anthropic', 'httpx2'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_server_that_is_none_of_ours(real_gguf: Path) -> None:
    """llama.cpp: another's reading of the protocol, and of schemas."""
    params = xllamacpp.CommonParams()
    params.model.path = str(real_gguf)
    params.n_ctx, params.n_parallel, params.n_gpu_layers = 512, 1, 0
    params.warmup, params.port, params.verbosity = False, 0, -1
    server = xllamacpp.Server(params)
    llm = OpenAi("m", server.listening_address + "/v1", temperature=0.0, max_tokens=60)
    whole = llm.send(llm.request("Say what maps inputs to outputs.", "France: Paris", "t"))
    cut = llm.send(llm.request("", "France: Paris", "t"), max_tokens=5)
    long = llm.send(llm.request("", "France: Paris" * 500, "t"))
    lost = OpenAi("m", server.listening_address + "/v7")
    elsewhere = lost.send(lost.request("", "France: Paris", "t"))
    for one in (llm, lost):
        one.close()
    del server
    assert isinstance(whole.outcome, Described | Unclear | Truncated)  # bound to the schema
    assert whole.text.startswith("{")
    assert whole.tokens_in > 0
    assert (cut.outcome, cut.tokens_out) == (Truncated(5), 5)
    assert isinstance(long.outcome, Failed)
    assert "context" in long.outcome.problem
    assert (long.outcome.status, long.outcome.again, long.outcome.fatal) == (400, False, False)
    assert isinstance(elsewhere.outcome, Failed)
    assert elsewhere.outcome.fatal

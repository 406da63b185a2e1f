"""The real openai SDK against a server of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai as sdk
import pytest
from openai.types.chat import ChatCompletion
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import TypeAdapter

from annotator.describe.llm import Llm
from annotator.describe.openai import OpenAi
from annotator.describe.outcome import Answer, Described, Failed, Malformed
from tests.describe.loopback import (
    SAID,
    SCHEMA_WORDS,
    Asked,
    Provider,
    completion,
    openai_error,
)
from tests.describe.loopback import Answer as Sent
from tests.describe.sdks import OPENAI_KEY
from tests.loopback_hub import closed_port

KEY = OPENAI_KEY
GOOD = Sent(body=completion(json.dumps(SAID)))


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
        "stream": False,
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
    assert words.startswith(f"Be brief.\n\n{SCHEMA_WORDS}")
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

    assert key("https://Example.org/v1") == key("https://example.org/v1/")
    assert key("https://api.openai.com/v1/") == key(None)
    assert len({key(None), key("https://a/v1"), key(None, seed=0), key(None, max_tokens=1)}) == 4


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

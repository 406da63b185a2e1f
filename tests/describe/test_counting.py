"""How many tokens a prompt is: as each provider counts them, or else an estimate that says so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from anthropic.types.message_count_tokens_params import MessageCountTokensParams
from openai.types.responses.input_token_count_params import InputTokenCountParams
from pydantic import TypeAdapter

from annotator.cli import main
from annotator.describe.anthropic import Anthropic
from annotator.describe.llm import Llm
from annotator.describe.local import Local
from annotator.describe.openai import IN_WORDS, OpenAi
from annotator.describe.outcome import Answer
from annotator.describe.prompt import read_template
from annotator.describe.rule_baseline import Rules
from annotator.maps.settings import MapSettings
from annotator.pipeline.map import map_model
from tests.describe.loopback import Answer as Sent
from tests.describe.loopback import (
    Provider,
    anthropic_counted,
    anthropic_error,
    openai_counted,
    openai_error,
)

KEY = "sk-0123456789abcdefghijklmnop"
WRONG = {
    "openai": openai_error("wrong key", "invalid_api_key"),
    "anthropic": anthropic_error("wrong key", "authentication_error"),
}
LLMS: dict[str, Callable[[str], Llm]] = {
    "openai": lambda url: OpenAi("m", url + "/v1", KEY),
    "anthropic": lambda url: Anthropic("m", KEY, url),
}


def test_openai_counts_what_would_be_sent(provider: Provider) -> None:
    provider.answers(Sent(body=openai_counted(1234)))
    llm = OpenAi("m", provider.url + "/v1", KEY)
    assert llm.count(llm.request("Be brief.", "Which?", "t")) == 1234
    llm.close()
    (asked,) = provider.asked
    assert (asked.path, asked.key) == ("/v1/responses/input_tokens", KEY)
    TypeAdapter(InputTokenCountParams).validate_python(asked.body)
    assert asked.body["input"] == "Which?"
    assert asked.body["instructions"].startswith(f"Be brief.\n\n{IN_WORDS}")
    assert asked.body["text"]["format"]["schema"] == Answer.model_json_schema()


def test_anthropic_counts_what_would_be_sent(provider: Provider) -> None:
    provider.answers(Sent(body=anthropic_counted(1234)))
    llm = Anthropic("m", KEY, provider.url)
    assert llm.count(llm.request("Be brief.", "Which?", "t")) == 1234
    llm.close()
    (asked,) = provider.asked
    assert (asked.path, asked.key) == ("/v1/messages/count_tokens", KEY)
    TypeAdapter(MessageCountTokensParams).validate_python(asked.body)
    assert asked.body["system"] == "Be brief."
    assert asked.body["messages"] == [{"role": "user", "content": "Which?"}]
    assert asked.body["output_config"]["format"]["type"] == "json_schema"


@pytest.mark.parametrize("name", LLMS)
@pytest.mark.parametrize(
    "answer",
    [
        lambda name: Sent(401, WRONG[name]),
        lambda name: Sent(404, {"detail": "Not Found"}),
        lambda name: Sent(body={"object": "list"}),
        lambda name: Sent(body=b"<html>"),
        lambda name: Sent(body={"input_tokens": "many"}),
        lambda name: Sent(ends="reset", body={"input_tokens": 3}),
    ],
    ids=["wrong key", "no such path", "nothing of it", "a page", "no number", "reset"],
)
def test_who_does_not_count_says_so(name: str, answer: Any, provider: Provider) -> None:
    provider.answers(answer(name))
    llm = LLMS[name](provider.url)
    assert llm.count(llm.request("", "Which?", "t")) is None
    assert llm.count(llm.request("", "half a character \ud83d", "t")) is None
    llm.close()
    assert len(provider.asked) == 1


def test_what_is_shown_is_what_is_counted_and_then_sent(
    tiny_folder: Path, real_gguf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a head with few mappings: llama.cpp reads a hundred tokens in a second."""
    short = map_model(tiny_folder, tmp_path / "short", MapSettings(sources=3), progress=False)
    assert main(["prompts", "show", "L1H2", str(short.folder), "--llm", "local:"]) == 0
    shown = capsys.readouterr().out
    counted = re.search(
        r"\[([\d,]+) tokens, as local: counts them\]\n\[key (\w+)\]$", shown.strip()
    )
    assert counted
    system, _, prompt = shown.removeprefix("[system]\n").partition("\n\n[user]\n")
    prompt, _, schema = prompt[: prompt.rindex("\n\n[")].partition("\n\n[schema]\n")
    local = Local(real_gguf)
    request = local.request(system, prompt, "t")
    assert replace(request, template=read_template().digest).key == counted[2]
    tokens = int(counted[1].replace(",", ""))
    assert json.loads(schema) == request.schema
    try:
        assert local.count(request) == tokens
        reply = local.send(request, max_tokens=1)  # the answer is of no matter here
    finally:
        local.close()
    assert reply.tokens_in == tokens


def test_without_an_llm_the_number_is_an_estimate_and_called_one(
    catalog: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prompts", "show", "L1H2", str(catalog)]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"\[about [\d,]+ tokens, estimated from its length; --llm has", shown)
    assert main(["prompts", "show", "L1H2", str(catalog), "--llm", "rules"]) == 0
    shown = capsys.readouterr().out
    assert "[rules is no language model: it reads this and sends nothing]" in shown
    assert '"copy":' in shown
    assert Rules().count(Rules().request("", "{}", "")) == 0


def test_a_server_that_does_not_count_is_named(
    catalog: Path, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.answers(Sent(404, openai_error("no such path")))
    llm = f"openai:m@{provider.url}/v1"
    assert main(["prompts", "show", "L1H2", str(catalog), "--llm", llm]) == 0
    shown = capsys.readouterr().out
    assert f"estimated from its length; {llm} could not be had to count them]" in shown
    assert IN_WORDS in shown, "this server would get the schema in words, and so it is shown"

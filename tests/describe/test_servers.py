"""Servers as they are: what each says, over the real SDK, costs one request and is not misread."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.catalog.descriptions import LEDGER
from annotator.catalog.read import open_catalog
from annotator.describe.answer_reading import read_answer
from annotator.describe.llm import Reply
from annotator.describe.openai import OpenAi
from annotator.describe.outcome import Described, Failed, Malformed, MaybePaid
from annotator.describe.token_counts import MOST_TOKENS
from annotator.errors import LlmFailed, LlmInvalid
from annotator.http import name_and_address
from annotator.ledger.ledger import Ledger
from annotator.pipeline.describe import describe_heads
from tests.describe.asking import unwaited
from tests.describe.loopback import Answer, Asked, Provider, described, openai_error

GOOD = described()
SAID = Described(**json.loads(GOOD))
OTHER = described(pattern="another")
FENCE = "```"


def message(**fields: Any) -> dict[str, Any]:
    """A completion as servers that add to the protocol send it."""
    return {"choices": [{"message": fields, "finish_reason": "stop"}]}


def reply_of(provider: Provider, answer: Answer) -> Reply:
    provider.answers(answer)
    llm = OpenAi("tiny", f"{provider.url}/v1")
    try:
        return llm.send(llm.request("s", "p", "t"))
    finally:
        llm.close()
        assert len(provider.asked) == 1


WRAPPED = {
    "a thought without its beginning": f"The inputs {{a, b}} are alike.\n</think>\n{GOOD}",
    "a closed think block": f"<think>Let me see {{}}.</think>{GOOD}",
    "a draft in the thoughts": f"<think>{OTHER}</think>{GOOD}",
    "another family's thoughts": f"[THINK]{OTHER}[/THINK]{GOOD}",
    "more than one thought": f"<thinking>a</thinking>{OTHER}<thinking>no</thinking>{GOOD}",
    "a fence": f"{FENCE}\n{GOOD}\n{FENCE}",
    "a fence tagged JSON": f"{FENCE}JSON\n{GOOD}\n{FENCE}",
    "a fence and a closing sentence": f"{FENCE}json\n{GOOD}\n{FENCE}\nI hope that this helps!",
    "a sentence before": f"Sure! Here is the object {{as asked}}: {GOOD}",
    "a sentence after": f"{GOOD}\nLet me know if you need more.",
    "the same twice": f"{GOOD}\n\n{json.dumps(json.loads(GOOD), indent=1)}",
    "the schema before": f'{{"type": "object"}} {GOOD}',
    "tags in its strings": described(pattern="</think> {x} ```"),
}


@pytest.mark.parametrize("text", WRAPPED.values(), ids=WRAPPED.keys())
def test_an_answer_that_is_wrapped_is_described_at_once(provider: Provider, text: str) -> None:
    reply = reply_of(provider, Answer(body=message(content=text)))
    assert isinstance(reply.outcome, Described)
    assert replace(reply.outcome, pattern=SAID.pattern) == SAID
    assert reply.text == text


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_an_answer_among_the_thoughts_of_a_server_is_read(provider: Provider, name: str) -> None:
    reply = reply_of(provider, Answer(body=message(content=None, **{name: GOOD})))
    assert (reply.outcome, reply.text) == (SAID, GOOD)


@pytest.mark.parametrize(
    "fields",
    [
        {"content": "\n\n", "reasoning_content": GOOD},
        {"content": "", "reasoning_content": "The inputs are alike.", "reasoning": GOOD},
        {"content": None, "reasoning_content": GOOD, "reasoning": GOOD},
    ],
)
def test_an_answer_is_found_in_whichever_field_it_is(
    provider: Provider, fields: dict[str, Any]
) -> None:
    reply = reply_of(provider, Answer(body=message(**fields)))
    assert reply.outcome == SAID
    assert GOOD in reply.text


def test_what_no_field_agrees_on_is_malformed(provider: Provider) -> None:
    fields = {"content": None, "reasoning_content": GOOD, "reasoning": OTHER}
    reply = reply_of(provider, Answer(body=message(**fields)))
    assert reply.outcome == Malformed("it has several answers, which differ")
    assert reply.text == f"{GOOD}\n{OTHER}"


NONE = {
    "two that differ": f"{GOOD}\nOr rather:\n{OTHER}",
    "only in thoughts": f"<think>{GOOD}</think>",
    "in thoughts that do not end": f"<think>{GOOD}",
    "in thoughts without their beginning": f"{GOOD}</think>I am done.",
    "prose": "It maps countries to their capitals.",
    "in another object": json.dumps({"answer": json.loads(GOOD)}),
    "cut": GOOD[:-9],
    "nested too deep": '{"a":' * 50_000,
    "braces": "{" * 50_000,
}


@pytest.mark.parametrize("text", NONE.values(), ids=NONE.keys())
def test_what_holds_no_one_answer_is_malformed_and_kept(provider: Provider, text: str) -> None:
    reply = reply_of(provider, Answer(body=message(content=text)))
    assert isinstance(reply.outcome, Malformed)
    assert reply.text == text


def test_thoughts_beside_an_answer_do_not_take_its_place(provider: Provider) -> None:
    reply = reply_of(provider, Answer(body=message(content=GOOD, reasoning_content=OTHER)))
    assert reply.outcome == SAID
    assert reply.text == f"<think>{OTHER}</think>\n{GOOD}"
    assert read_answer(reply.text) == SAID


def test_thoughts_beside_words_that_are_no_answer_are_kept(provider: Provider) -> None:
    reply = reply_of(provider, Answer(body=message(content="no", reasoning=GOOD)))
    assert isinstance(reply.outcome, Malformed)
    assert GOOD in reply.text


@given(st.text(alphabet=st.characters(exclude_characters="{<["), max_size=60), st.text(max_size=60))
def test_no_words_around_an_answer_change_it(before: str, pattern: str) -> None:
    text = json.dumps(json.loads(GOOD) | {"pattern": f"p {pattern}"}, ensure_ascii=False)
    if any(0xD800 <= ord(char) < 0xE000 for char in text):
        return
    told = read_answer(f"{before}{text}{before}")
    assert isinstance(told, Described)
    assert told.pattern == f"p {pattern}"


BROKEN_OFF = {
    "error": {"choices": [{"message": {"content": ""}, "finish_reason": "error"}]},
    "no resources": {
        "choices": [{"message": {"content": "{"}, "finish_reason": "insufficient_system_resource"}]
    },
    "an error on the choice": {
        "choices": [{"error": {"code": 502, "message": "upstream broke"}, "finish_reason": "stop"}]
    },
    "no message": {"choices": [{"message": None, "finish_reason": "error"}]},
}


@pytest.mark.parametrize("body", BROKEN_OFF.values(), ids=BROKEN_OFF.keys())
def test_a_failure_inside_a_success_is_tried_again_at_the_same_settings(
    catalog: Path, provider: Provider, body: dict[str, Any]
) -> None:
    provider.answers(Answer(body=body), Answer(body=message(content=GOOD)))
    told = describe_heads(catalog, f"openai:tiny@{provider.url}/v1", heads=["L0H0"], progress=False)
    assert (told.kinds, told.without) == ({"described": 1}, 0)
    first, second = (asked.body for asked in provider.asked)
    assert first == second
    with Ledger(catalog / LEDGER) as ledger:
        assert (ledger.count("failed"), ledger.count("described")) == (1, 1)


def test_a_failure_inside_a_success_is_asked_again_by_the_next_run(
    catalog: Path, provider: Provider
) -> None:
    llm = f"openai:tiny@{provider.url}/v1"
    provider.answer = lambda asked: Answer(body=BROKEN_OFF["error"])
    with unwaited(), pytest.raises(LlmFailed):  # six alike end a run
        describe_heads(catalog, llm, heads=["L0H0"], progress=False)
    provider.answer = lambda asked: Answer(body=message(content=GOOD))
    told = describe_heads(catalog, llm, heads=["L0H0"], progress=False)
    assert (told.before, told.sent, told.kinds) == (0, 1, {"described": 1})


STREAM = b'data: {"choices": [{"delta": {"content": "{"}}]}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize("headers", [{"Content-Type": "text/event-stream"}, {}])
def test_a_server_that_streams_all_the_same_ends_the_run_at_once(
    catalog: Path, provider: Provider, headers: dict[str, str]
) -> None:
    provider.answer = lambda asked: Answer(body=STREAM, headers=headers)
    with pytest.raises(LlmFailed, match="as a stream, although it is told not to"):
        describe_heads(catalog, f"openai:tiny@{provider.url}/v1", concurrency=1, progress=False)
    assert [asked.body["stream"] for asked in provider.asked] == [False]


ELSEWHERE = {
    "a success with words": Answer(200, {"error": "Unexpected endpoint or method"}),
    "no such place, in plain words": Answer(
        404, b"Unexpected endpoint or method", {"Content-Type": "text/plain; charset=utf-8"}
    ),
    "no such method": Answer(405, {"detail": "Unexpected endpoint or method"}),
}


@pytest.mark.parametrize("answer", ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_an_address_without_v1_ends_the_run_with_the_likely_one(
    catalog: Path, provider: Provider, answer: Answer
) -> None:
    provider.answer = lambda asked: answer
    words = rf"Unexpected endpoint or method \(is {provider.url}/v1 its address\?\)"
    with pytest.raises(LlmFailed, match=words):
        describe_heads(catalog, f"openai:tiny@{provider.url}", concurrency=1, progress=False)
    assert len(provider.asked) == 1


BUSY = Answer(
    200, {"error": {"message": "Service is busy", "type": "server_busy"}}, {"Retry-After": "3"}
)


def test_a_failure_that_passes_is_tried_again_at_an_address_without_v1_too(
    catalog: Path, provider: Provider
) -> None:
    """DeepSeek's own address has none."""
    good, words = Answer(body=message(content=GOOD)), Answer(200, {"error": "Busy"})
    provider.answers(BUSY, good, words, good)
    with unwaited():
        told = describe_heads(
            *(catalog, f"openai:tiny@{provider.url}"),
            **{"heads": ["L0H0", "L0H1"], "concurrency": 1, "progress": False},
        )
    assert told.kinds == {"described": 2}


def test_a_model_that_is_unknown_at_the_right_address_is_no_wrong_address(
    provider: Provider,
) -> None:
    outcome = reply_of(provider, Answer(404, {"error": "model 'x' not found"})).outcome
    assert isinstance(outcome, Failed)
    assert outcome.problem == "HTTP 404: model 'x' not found"


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ("Unknown field: structured_outputs", ""),
        ("guided decoding is not supported by this backend", ""),
        ("failed to parse grammar", ""),
        ("unsupported", "text.format.schema"),
    ],
)
def test_a_schema_that_is_not_taken_is_left_out_once_for_the_whole_run(
    catalog: Path, provider: Provider, said: str, param: str
) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.body.get("response_format", {}).get("type") == "json_schema":
            return Answer(400, openai_error(said, param=param or None))
        return Answer(body=message(content=GOOD))

    provider.answer = answer
    llm = f"openai:tiny@{provider.url}/v1"
    told = describe_heads(catalog, llm, concurrency=1, progress=False)
    assert told.kinds == {"described": 12}
    assert len(provider.asked) == 13


def test_a_generation_that_failed_is_malformed_and_its_text_kept(provider: Provider) -> None:
    body = openai_error("Failed to generate JSON", "json_validate_failed")
    body["error"]["failed_generation"] = '{"reasoning": "Capitals'
    reply = reply_of(provider, Answer(400, body))
    assert reply.outcome == Malformed("Failed to generate JSON")
    assert reply.text == '{"reasoning": "Capitals'


def test_a_body_that_is_no_answer_is_kept(provider: Provider) -> None:
    reply = reply_of(provider, Answer(body={"id": "1", "output": "words"}))
    assert isinstance(reply.outcome, MaybePaid)
    assert json.loads(reply.text) == {"id": "1", "output": "words"}


@pytest.mark.parametrize(
    ("named", "model", "url"),
    [
        ("@cf/a/b@http://h/v1", "@cf/a/b", "http://h/v1"),
        ("qwen@q4_k_m@https://h/v1", "qwen@q4_k_m", "https://h/v1"),
        ("qwen@q4_k_m", "qwen@q4_k_m", ""),
        ("qwen@q4_k_m:2", "qwen@q4_k_m:2", ""),
        ("qwen@q8:2", "qwen@q8:2", ""),
        ("@cf/a/b", "@cf/a/b", ""),
        ("m@http://u:secret@h:80/v1", "m", "http://u:secret@h:80/v1"),
        ("m@localhost:8080", "m", "localhost:8080"),
        ("m@10.0.0.1:8080/v1", "m", "10.0.0.1:8080/v1"),
        ("m@ftp://h", "m", "ftp://h"),
    ],
)
def test_a_models_name_may_have_an_at_of_its_own(named: str, model: str, url: str) -> None:
    assert name_and_address(named) == (model, url)


@pytest.mark.parametrize("model", ["@cf/a/b", "qwen@q4_k_m", "tiny"])
def test_a_model_is_asked_by_its_whole_name_and_shown_by_it(
    catalog: Path, provider: Provider, model: str
) -> None:
    provider.answer = lambda asked: Answer(body=message(content=GOOD))
    llm = f"openai:{model}@{provider.url}/v1"
    describe_heads(catalog, llm, heads=["L0H0"], progress=False)
    assert provider.asked[0].body["model"] == model
    [one] = open_catalog(catalog).descriptions()
    assert one.shown == f"openai:{model}"


@pytest.mark.parametrize("llm", ["openai:m@localhost:8080", "openai:@http://h/v1", "openai:"])
def test_an_address_without_its_beginning_is_no_part_of_a_name(catalog: Path, llm: str) -> None:
    with pytest.raises(LlmInvalid):
        describe_heads(catalog, llm, progress=False)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    lines: list[str] = []
    monkeypatch.setattr("annotator.pipeline.describe.say", lines.append)
    return lines


@pytest.mark.parametrize(
    ("counts", "kept", "words"),
    [
        ((-5, 45), (0, 45), "counts -5 tokens: 0 is written down"),
        ((10**30, 45), (MOST_TOKENS, 45), "1,000,000,000 is written down"),
        ((2**63, 2**64), (MOST_TOKENS, MOST_TOKENS), "1,000,000,000 is written down"),
        (("many", 45), (0, 45), "counts many tokens: 0 is written down"),
        ((3, 45), (3, 45), "it seems to have read only a part"),
        ((None, None), (0, 0), None),
        ((900, 45), (900, 45), None),
    ],
)
def test_counts_that_cannot_be_are_clamped_and_said_once(
    catalog: Path,
    provider: Provider,
    said: list[str],
    counts: tuple[Any, Any],
    kept: tuple[int, int],
    words: str | None,
) -> None:
    usage = dict(zip(("prompt_tokens", "completion_tokens"), counts, strict=True))
    body = message(content=GOOD) | {"usage": usage}
    provider.answer = lambda asked: Answer(body=body)
    llm = f"openai:tiny@{provider.url}/v1"
    heads = ["L0H0", "L0H1", "L1H0"]
    describe_heads(catalog, llm, heads=heads, concurrency=1, progress=False)
    assert sum(words in line for line in said) == 1 if words else not said
    with Ledger(catalog / LEDGER) as ledger:
        found = ledger.described()
    assert {(one.tokens_in, one.tokens_out) for one in found} == {kept}
    assert len(provider.asked) == len(heads)

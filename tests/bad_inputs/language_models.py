"""Language models that cannot be asked, or whose answers are none."""

from __future__ import annotations

import json
from typing import Any

from tests.bad_inputs.case import BadInput, Make, Place
from tests.describe.loopback import Answer, Asked, described, openai_error

ASK = "describe catalog --heads L0H0 --llm openai:tiny@{server}/v1"
GOOD, OTHER = described(), described(pattern="another")
PLAIN = {"Content-Type": "text/plain"}


def answers(*given: Answer) -> Make:
    """Have the server answer so."""
    return lambda place: place.answer(*given)


def says(content: str | None, finish: str = "stop", **more: Any) -> Make:
    """Have the server answer with a message."""
    message = {"content": content, **more}
    return answers(Answer(body={"choices": [{"message": message, "finish_reason": finish}]}))


def asks(llm: str, *options: str) -> str:
    """A command that asks a language model about one head."""
    return " ".join(("describe catalog --heads L0H0 --llm", llm, *options))


def _counts(**usage: int) -> Make:
    message = {"message": {"content": GOOD}, "finish_reason": "stop"}
    return answers(Answer(body={"choices": [message], "usage": usage}))


def _without_schemas(place: Place) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.body.get("response_format", {}).get("type") == "json_schema":
            return Answer(400, openai_error("Unknown field: structured_outputs"))
        return Answer(body={"choices": [{"message": {"content": GOOD}, "finish_reason": "stop"}]})

    place.provider.answer = answer


LANGUAGE_MODELS = [
    BadInput("no form of a language model", asks("gpt")),
    BadInput("no model's name", asks("openai:")),
    BadInput("no address", asks("openai:tiny@ftp://model.example")),
    BadInput("an address with a password", asks("openai:tiny@https://me:hunter2@model.example/v1")),
    BadInput("no key", asks("openai:tiny")),
    BadInput(
        "the environment's key at another server's address",
        asks("openai:tiny@https://model.example/v1"),
        environment={"OPENAI_API_KEY": "sk-0123456789"},
    ),
    BadInput(
        "a key over http",
        asks("openai:tiny@http://model.example/v1", "--key-env MY_KEY"),
        environment={"MY_KEY": "sk-0123456789"},
    ),
    BadInput(
        "OPENAI_BASE_URL, which names another address",
        asks("openai:tiny"),
        environment={"OPENAI_API_KEY": "sk-0", "OPENAI_BASE_URL": "https://model.example/v1"},
    ),
    BadInput(
        "a file without a key",
        asks("openai:tiny", "--key-file key"),
        lambda place: place.write("key", "\n").chmod(0o600),
    ),
    BadInput(
        "nobody at the address",
        "describe catalog --heads L0H0 --llm openai:tiny@http://127.0.0.1:1/v1",
    ),
    BadInput(
        "a key that is not taken",
        ASK,
        answers(Answer(401, openai_error("Incorrect key", "invalid_api_key"))),
    ),
    BadInput(
        "a model that the server does not have",
        ASK,
        answers(Answer(404, openai_error("No such model", "model_not_found"))),
    ),
    BadInput(
        "no money",
        ASK,
        answers(Answer(429, openai_error("You exceeded your quota", "insufficient_quota"))),
    ),
    BadInput(
        "an address without /v1, 200",
        "describe catalog --heads L0H0 --llm openai:tiny@{server}",
        answers(Answer(200, {"error": "Unexpected endpoint or method"})),
    ),
    BadInput(
        "an address without /v1, 404",
        "describe catalog --heads L0H0 --llm openai:tiny@{server}",
        answers(Answer(404, b"404 page not found", PLAIN)),
    ),
    BadInput(
        "a web page", ASK, answers(Answer(200, b"<!doctype html>", {"Content-Type": "text/html"}))
    ),
    BadInput(
        "a stream that was not asked for",
        ASK,
        answers(Answer(200, b"data: {}\n\n", {"Content-Type": "text/event-stream"})),
    ),
    BadInput("a failure inside of a success", ASK, says("", finish="error")),
    BadInput("two answers that differ", ASK, says(f"{GOOD}\nOr rather:\n{OTHER}")),
    BadInput("an answer only in thoughts", ASK, says(f"<think>{GOOD}</think>")),
    BadInput("no answer", ASK, says("It maps countries to their capitals.")),
    BadInput(
        "a generation that failed",
        ASK,
        answers(
            Answer(
                400,
                {
                    "error": {
                        "message": "Failed to generate JSON",
                        "code": "json_validate_failed",
                        "failed_generation": '{"reasoning": "Capitals',
                    }
                },
            )
        ),
    ),
    BadInput(
        "answers in a file that is none",
        asks("file:answers.jsonl"),
        lambda place: place.write("answers.jsonl", "{"),
    ),
    BadInput("answers in a file that is not there", asks("file:gone.jsonl")),
    BadInput("a GGUF model that is not there", asks("local:gone.gguf")),
    BadInput(
        "a prompt that cannot be rendered",
        asks("rules", "--prompts own"),
        lambda place: place.write("own/describe_head.jinja", "{{ nothing.here }}"),
    ),
    BadInput("no heads chosen", "describe catalog --llm rules", code=2),
    BadInput("a time that is none", asks("openai:tiny@http://127.0.0.1:1/v1", "--timeout 0")),
]

TAKEN = [
    BadInput(
        "counts of tokens that cannot be",
        ASK,
        _counts(prompt_tokens=-5, completion_tokens=10**30),
        code=0,
    ),
    BadInput("a prompt that the server cut", ASK, _counts(prompt_tokens=3), code=0),
    BadInput("a schema that the server does not take", ASK, _without_schemas, code=0),
    BadInput(
        "a dataset where its reader sees wildcards",
        "export catalog --to hf --out 'runs [v2]/hf'",
        code=0,
    ),
]

assert json.loads(GOOD) != json.loads(OTHER)

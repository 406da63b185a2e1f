"""Anthropic's messages.

Their API of today has no temperature, top_p or seed: the limit of tokens is the one setting. Every
sample is the same request to it, and differs by chance. Answers are bound to the schema by
`output_config`, in the form that the SDK's own `transform_schema` gives it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ValidationError

from annotator.describe import http_errors
from annotator.describe.answer_reading import read_answer
from annotator.describe.api_keys import KeyVariable
from annotator.describe.llm import Reply
from annotator.describe.outcome import Failed, MaybePaid, Outcome, Refused, Truncated
from annotator.describe.providers import NamedLlm, require_model
from annotator.describe.request import Request
from annotator.describe.sdk_provider import Provider
from annotator.describe.token_counts import doubts, token_count
from annotator.errors import LlmInvalid
from annotator.http import name_and_address

if TYPE_CHECKING:
    import httpx2

ANTHROPIC_URL = "https://api.anthropic.com"
ANTHROPIC_SCHEMA_NAMES = ("output_config", "output_format")


class Anthropic(Provider):
    """A Claude model; see `Provider`.

    Args:
        model: the model's name.
        key: the key, or the file or variable that holds it; by default, at Anthropic's own address,
            that of ANTHROPIC_API_KEY. Whatever else
            the SDK would look for (profiles, tokens, ANTHROPIC_BASE_URL) is passed over.
        base_url: another server that speaks this API, without /v1.
        max_tokens: the answer's limit.
        timeout: seconds for a request and its answer, connecting included.
        allow_http: whether the key may go to another machine over http.
    """

    kind = "anthropic"
    client = "Anthropic"
    variable = "ANTHROPIC_API_KEY"
    key_header = ("x-api-key", "{}")

    def __init__(
        self,
        model: str,
        key: str | Path | KeyVariable | None = None,
        base_url: str | None = None,
        *,
        max_tokens: int = 1024,
        timeout: float = 300.0,
        allow_http: bool = False,
    ) -> None:
        super().__init__(
            model, ANTHROPIC_URL, base_url, key, {"max_tokens": max_tokens}, timeout, allow_http
        )

    def count(self, request: Request) -> int | None:
        """How many tokens it would send, as Anthropic counts them; that costs nothing."""
        import anthropic

        try:
            counted = self._sdk().messages.count_tokens(**_message(request))
        except (anthropic.AnthropicError, ValueError):  # no JSON, half a character
            return None
        return http_errors.whole_number(getattr(counted, "input_tokens", None))

    def _ask(self, request: Request, changes: dict[str, Any]) -> Reply:
        limit = changes.get("max_tokens", request.sampling["max_tokens"])
        came = self._put(self._sdk().messages, {**_message(request), "max_tokens": limit})
        if isinstance(came, Failed | MaybePaid):
            return Reply(came)
        if isinstance(came, http_errors.HttpFault):
            return Reply(http_errors.outcome_of(came, ANTHROPIC_SCHEMA_NAMES))
        return _read(came, self._key, limit, request)


def _message(request: Request) -> dict[str, Any]:
    """What is sent, but for the limit."""
    import anthropic

    schema = anthropic.transform_schema(dict(request.schema))
    return {
        "model": request.model,
        **({"system": request.system} if request.system else {}),
        "messages": [{"role": "user", "content": request.prompt}],
        "output_config": {"format": {"type": "json_schema", "schema": schema}},
    }


class _Block(BaseModel):
    type: str
    text: str = ""


class _Details(BaseModel):
    category: str | None = None
    explanation: str | None = None


class _Usage(BaseModel):
    input_tokens: Any
    output_tokens: Any
    cache_creation_input_tokens: Any = None
    cache_read_input_tokens: Any = None

    def read(self) -> Any:
        """All prompt tokens, cached ones included; what is no number as it came."""
        if not isinstance(self.input_tokens, int):
            return self.input_tokens
        cached = (self.cache_creation_input_tokens, self.cache_read_input_tokens)
        return self.input_tokens + sum(map(token_count, cached))


class _Message(BaseModel):
    """As much of a message as is read."""

    type: Literal["message"]
    content: list[_Block]
    stop_reason: str | None
    stop_details: _Details | None = None
    usage: _Usage


def _read(response: httpx2.Response, key: str, limit: int, request: Request) -> Reply:
    """What a message says."""
    try:
        message = _Message.model_validate_json(response.content)
    except ValidationError:
        unreadable = http_errors.unreadable(response, key, ANTHROPIC_SCHEMA_NAMES)
        return Reply(unreadable, response.text[: http_errors.LONGEST_BODY])
    text = "".join(block.text for block in message.content if block.type == "text")
    outcome = _outcome(message, text, limit)
    counts = message.usage.read(), message.usage.output_tokens
    return Reply(outcome, text, *map(token_count, counts), doubts=doubts(request, *counts))


def _outcome(message: _Message, text: str, limit: int) -> Outcome:
    match message.stop_reason:
        case "refusal":
            details = message.stop_details or _Details()
            return Refused(details.explanation or details.category or "the model declined")
        case "max_tokens":
            return Truncated(limit)
        case "model_context_window_exceeded":  # more tokens would not help: there is no room
            return Failed("the prompt and its answer do not fit the model's context")
        case _:
            return read_answer(text)


def open_llm_named(named: NamedLlm) -> Anthropic:
    """The model that `anthropic:MODEL` names."""
    model = require_model(named)
    if name_and_address(model)[1]:  # not repeated: there may be a password in it
        raise LlmInvalid("anthropic:...@...", "only openai: takes a BASE_URL")
    return Anthropic(model, key=named.key.key, allow_http=named.key.allow_http, **named.options)

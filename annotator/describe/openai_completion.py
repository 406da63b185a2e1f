"""What a chat completion says: as much of it as is read, for servers leave out much of the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, ValidationError

from annotator.describe import http_errors
from annotator.describe.answer_reading import read_answer
from annotator.describe.llm import Reply
from annotator.describe.outcome import Failed, Malformed, Outcome, Refused, Truncated
from annotator.describe.request import Request
from annotator.describe.token_counts import doubts, token_count

if TYPE_CHECKING:
    import httpx2

BROKEN_OFF = ("error", "insufficient_system_resource", "abort", "aborted", "cancelled", "timeout")
OPENAI_SCHEMA_NAMES = ("response_format", "json_schema", "json_object")


class _Part(BaseModel):
    text: str | None = None


class _Message(BaseModel):
    content: str | list[_Part] | None = None
    refusal: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None

    def said(self) -> str:
        """The model's words; blanks are none."""
        parts = self.content
        said = "".join(p.text or "" for p in parts) if isinstance(parts, list) else parts
        return said if said and said.strip() else self.refusal or ""

    def thoughts(self) -> list[str]:
        """What a server took for thoughts, each once: it may be the answer, where no words are."""
        found = (self.reasoning_content, self.reasoning)
        return list(dict.fromkeys(one for one in found if isinstance(one, str) and one.strip()))

    def text(self) -> str:
        """All that came, as it is kept: thoughts beside words are marked as such."""
        said, thoughts = self.said(), "\n".join(self.thoughts())
        return f"<think>{thoughts}</think>\n{said}" if said and thoughts else said or thoughts


class _Choice(BaseModel):
    message: _Message | None = None
    finish_reason: str | None = None
    error: Any = None


class _Usage(BaseModel):
    prompt_tokens: Any = None
    completion_tokens: Any = None


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


def read_completion(response: httpx2.Response, key: str, limit: int, request: Request) -> Reply:
    """What a completion comes to.

    Args:
        response: as it came.
        key: the provider's, which the server may have echoed.
        limit: of the answer's tokens.
        request: that it answers.
    """
    try:
        completion = _Completion.model_validate_json(response.content)
    except ValidationError:
        unreadable = http_errors.unreadable(response, key, OPENAI_SCHEMA_NAMES)
        return Reply(unreadable, response.text[: http_errors.LONGEST_BODY])
    choice, usage = completion.choices[0], completion.usage or _Usage()
    message = choice.message or _Message()
    counts = usage.prompt_tokens, usage.completion_tokens
    return Reply(
        _outcome(choice, message, limit),
        message.text(),
        *map(token_count, counts),
        doubts=doubts(request, *counts),
    )


def _outcome(choice: _Choice, message: _Message, limit: int) -> Outcome:
    if choice.error or choice.finish_reason in BROKEN_OFF:
        why = http_errors.message_of(choice.error) or choice.finish_reason
        return Failed(f"the server broke the answer off: {why}", again=True)
    if message.refusal:
        return Refused(message.refusal)
    if choice.finish_reason == "content_filter":
        return Refused("the provider's content filter")
    if choice.finish_reason == "length":
        return Truncated(limit)
    if said := message.said():
        return read_answer(said)
    found = [read_answer(thought) for thought in message.thoughts()] or [read_answer("")]
    read = {one for one in found if not isinstance(one, Malformed)}
    if len(read) > 1:
        return Malformed("it has several answers, which differ")
    return read.pop() if read else found[0]

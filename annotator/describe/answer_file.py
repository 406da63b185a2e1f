"""Replies out of a file: of a model that nobody here can ask, or to try a pipeline without one.

`file:ANSWERS.jsonl` reads JSON Lines, an object a line: `{"key": KEY, "reply": REPLY}`. The key is
the request's; a run names those it lacks. The reply is what the model said, as a text or as the
JSON object that it is to be.
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from annotator.describe.answer_reading import read_answer
from annotator.describe.llm import Reply
from annotator.describe.outcome import Failed, answer_schema
from annotator.describe.providers import NamedLlm, require_model
from annotator.describe.request import Request
from annotator.errors import LlmInvalid
from annotator.paths import user_path


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    key: str
    reply: str | dict[str, Any]


class AnswerFile:
    """A file of replies; see `annotator.describe.llm.Llm`.

    Args:
        path: the file.

    Raises:
        LlmInvalid: there is no such file, or it cannot be read; the line is named.
    """

    at_once: int | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = f"file:{path.name}"
        self._replies = _read(path)

    def request(self, system: str, prompt: str, template: str, sample: int = 0) -> Request:
        """The request that asks for a reply; the file's place does not count, its name does."""
        schema = answer_schema()
        return Request("file", "", self.path.name, system, prompt, schema, template, sample=sample)

    def send(self, request: Request, **_: Any) -> Reply:
        """The reply to it; one that is not there is a failure that names the key."""
        reply = self._replies.get(request.key)
        if reply is None:
            return Reply(Failed(f"{self.path.name} has no reply to {request.key}"))
        return Reply(read_answer(reply), text=reply)

    def count(self, request: Request) -> int:
        """None is sent."""
        return 0

    def close(self) -> None:
        """There is nothing to let go of."""


def _read(path: Path) -> dict[str, str]:
    """Each reply by its request's key."""
    try:
        lines = path.read_bytes().removeprefix(BOM_UTF8).splitlines()
    except OSError as error:
        raise LlmInvalid(f"file:{path}", error.strerror or str(error)) from error
    replies: dict[str, str] = {}
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            line = _Line.model_validate_json(text)
        except ValidationError as error:
            said = error.errors(include_url=False, include_input=False)[0]["msg"]
            raise LlmInvalid(f"file:{path}", f"line {number}: {said}") from None
        reply = line.reply if isinstance(line.reply, str) else json.dumps(line.reply)
        if replies.setdefault(line.key, reply) != reply:
            reason = f"line {number}: another reply to a key that it has already"
            raise LlmInvalid(f"file:{path}", reason)
    return replies


def open_llm_named(named: NamedLlm) -> AnswerFile:
    """The file that `file:FILE` names."""
    return AnswerFile(user_path(require_model(named)))

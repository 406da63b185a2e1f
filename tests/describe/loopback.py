"""Two providers on 127.0.0.1: as much of OpenAI's chat completions and Anthropic's messages as is
asked of them. Real sockets and headers, the errors in the providers' own forms, and connections
that break, or never end, anywhere in an answer. Every body is checked by the SDK's own response
model.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from anthropic.types import ErrorResponse, Message, MessageTokensCount
from openai.types import ErrorObject
from openai.types.chat import ChatCompletion
from openai.types.responses import InputTokenCountResponse

from annotator.describe.llm import Reply
from annotator.describe.outcome import Failed, fields_of
from tests.loopback import serving

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"
SCHEMA_WORDS = "Answer with one JSON object"
DRIP_SECONDS = 0.05


@dataclass(frozen=True)
class Asked:
    """One request, as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def key(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True)
class Answer:
    """What is sent back, and how the connection ends.

    Attributes:
        ends: "" in order, or as a fault of `ENDS` does.
        after: seconds until it begins.
    """

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    ends: str = ""
    after: float = 0.0

    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Provider:
    """A server, what it answers, what it was asked, and over how many connections."""

    url: str = ""
    connections: int = 0
    answer: Callable[[Asked], Answer] = lambda asked: Answer(500, {})
    asked: list[Asked] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def answers(self, *answers: Answer) -> None:
        """These, in order; any further request is an error of the test."""
        rest = iter(answers)
        self.answer = lambda asked: next(rest)


class _Handler(BaseHTTPRequestHandler):
    provider: Provider
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer comes 40 ms late

    def setup(self) -> None:
        super().setup()
        self.provider.connections += 1

    def log_message(self, format: str, *args: object) -> None:
        pass

    def date_time_string(self, timestamp: float | None = None) -> str:
        return DATE

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        body = json.loads(self.rfile.read(length) or b"{}")
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers, body)
        self.provider.asked.append(asked)
        answer = self.provider.answer(asked)
        self.provider.closing.wait(answer.after)
        if answer.ends:
            self.close_connection = True
            ENDS[answer.ends](self, answer)
        else:
            self.head(answer)
            self.wfile.write(answer.content())

    def head(self, answer: Answer, length: int | None = None) -> None:
        """Status and headers."""
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        length = len(answer.content()) if length is None else length
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def half(self, answer: Answer) -> None:
        """All but the second half of the body."""
        content = answer.content()
        self.head(answer)
        self.wfile.write(content[: len(content) // 2])

    def reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.rfile.close()  # which would keep the socket open, to be closed in order
        self.connection.close()

    def drip(self, drop: bytes, pause: float = DRIP_SECONDS) -> None:
        """A little now and then, until the client hangs up."""
        while not self.provider.closing.wait(pause):
            self.wfile.write(drop)

    def silent(self, answer: Answer) -> None:
        self.provider.closing.wait(30)

    def closed(self, answer: Answer) -> None:
        pass

    def reset_before(self, answer: Answer) -> None:
        self.reset()

    def reset_in_headers(self, answer: Answer) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Ty")
        self.reset()

    def reset_in_body(self, answer: Answer) -> None:
        self.half(answer)
        self.reset()

    def drip_in_headers(self, answer: Answer) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Thinking: ")
        self.drip(b".")

    def drip_in_body(self, answer: Answer) -> None:
        self.head(answer, length=10**9)
        self.drip(b" ")  # which JSON may begin with: servers that keep a connection alive send it

    def flood_body(self, answer: Answer) -> None:
        self.head(answer, length=10**9)
        self.drip(b" ", pause=0.0)

    def say_too_little(self, answer: Answer) -> None:
        self.head(answer, length=len(answer.content()) // 2)
        self.wfile.write(answer.content())


ENDS: dict[str, Callable[[_Handler, Answer], None]] = {
    "silent": _Handler.silent,
    "closed": _Handler.closed,
    "cut": _Handler.half,
    "reset before headers": _Handler.reset_before,
    "reset in headers": _Handler.reset_in_headers,
    "reset": _Handler.reset_in_body,
    "drip in headers": _Handler.drip_in_headers,
    "drip": _Handler.drip_in_body,
    "flood": _Handler.flood_body,
    "too short a length": _Handler.say_too_little,
}
"""By name how a connection ends that does not end in order."""


@contextmanager
def running() -> Iterator[Provider]:
    """A provider on a free port of 127.0.0.1 until the block ends."""
    provider = Provider()
    handler = type("Handler", (_Handler,), {"provider": provider})
    with serving(handler) as provider.url:
        try:
            yield provider
        finally:
            provider.closing.set()


def completion(content: str | None, finish: str = "stop", **message: Any) -> dict[str, Any]:
    """OpenAI's success."""
    said = {"role": "assistant", "content": content, "refusal": None, **message}
    choice = {"index": 0, "message": said, "finish_reason": finish, "logprobs": None}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1790000000,
        "model": "gpt-tiny-2026-01-01",
        "choices": [choice],
        "usage": {"prompt_tokens": 321, "completion_tokens": 45, "total_tokens": 366},
    }
    ChatCompletion.model_validate(body, strict=True)
    return body


def message(text: str, stop: str = "end_turn", **more: Any) -> dict[str, Any]:
    """Anthropic's success."""
    body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-tiny-1",
        "content": [{"type": "text", "text": text, "citations": None}] if text else [],
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 300,
            "cache_creation_input_tokens": 20,
            "cache_read_input_tokens": 1,
            "output_tokens": 45,
        },
        **more,
    }
    Message.model_validate(body, strict=True)
    return body


def openai_counted(tokens: int) -> dict[str, Any]:
    """OpenAI's count of a prompt's tokens."""
    body = {"object": "response.input_tokens", "input_tokens": tokens}
    InputTokenCountResponse.model_validate(body, strict=True)
    return body


def anthropic_counted(tokens: int) -> dict[str, Any]:
    """Anthropic's count of a prompt's tokens."""
    body = {"input_tokens": tokens}
    MessageTokensCount.model_validate(body, strict=True)
    return body


def openai_error(said: str, code: str | None = None, kind: str = "", param: str | None = None):
    """OpenAI's error body."""
    error = {"message": said, "type": kind, "param": param, "code": code}
    ErrorObject.model_validate(error, strict=True)
    return {"error": error}


def anthropic_error(said: str, kind: str, error_code: str | None = None) -> dict[str, Any]:
    """Anthropic's error body. The SDK has no model of the one kind that goes with HTTP 413."""
    details = {"details": {"error_code": error_code}} if error_code else {}
    error = {"type": kind, "message": said, **details}
    body = {"type": "error", "error": error, "request_id": "req_1"}
    if kind != "request_too_large":
        ErrorResponse.model_validate(body, strict=True)
    return body


SAID = {
    "reasoning": "Capitals follow countries.",
    "inputs": "countries",
    "pattern": "the capital of the country",
    "category": "semantic",
}


def described(**changes: Any) -> str:
    """A model's words that fit the schema, or with changes do not."""
    return json.dumps({**SAID, **changes})


def check_fault(reply: Reply, answer: Answer, expected: Mapping[str, Any]) -> None:
    """A reply is the failure that a faulty answer should come to, field by field."""
    assert isinstance(reply.outcome, Failed)
    assert fields_of(reply.outcome) == {
        "problem": reply.outcome.problem,
        "status": answer.status,
        "again": False,
        "after": None,
        "fatal": False,
        **expected,
    }
    assert reply.outcome.problem
    assert "<" not in reply.outcome.problem
    kept = answer.content().decode() if answer.status < 300 else ""
    assert reply.text == kept, "of a success the body, whatever it is"

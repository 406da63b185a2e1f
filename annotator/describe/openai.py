"""OpenAI, and every server that speaks its chat completions: llama.cpp, vLLM, Ollama.

What differs between servers is a `Dialect`:

- OpenAI itself takes `max_completion_tokens`, the only name that its reasoning models know. Other
  servers get `max_tokens`, which all of them know; some pass over a name that they do not know in
  silence, and the answer would have no limit.
- OpenAI shows a model the schema that its answer has to fit. Other servers, if they have schemas
  at all, only bind the decoding by them: there the schema also stands in the system message.
- A server that answers 400 to a schema is asked for any JSON object, and if it does not know that
  either, for text. Such a 400 reached no model and cost nothing, so the request is put again at
  once, within one sending, and the server's dialect is remembered while the object lives. The
  words that the model reads are the same in every dialect, and no request's key knows of it.

A server that passes over the schema in silence and answers in prose has answered: malformed.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from annotator.describe import http_errors
from annotator.describe.api_keys import KeyVariable
from annotator.describe.llm import Reply
from annotator.describe.openai_completion import OPENAI_SCHEMA_NAMES, read_completion
from annotator.describe.outcome import Failed, Malformed, MaybePaid, answer_schema
from annotator.describe.providers import NamedLlm, require_model
from annotator.describe.request import Request
from annotator.describe.sdk_provider import Provider
from annotator.errors import BaseUrlIgnored
from annotator.http import AddressInvalid, name_and_address, plain_address

OPENAI_URL = "https://api.openai.com/v1"
SAMPLING = ("max_tokens", "temperature", "top_p", "seed", "reasoning_effort")
VERSIONED = re.compile(r"/v\d")
SCHEMA_BLAMED = re.compile(r"schema|response.?format|json.?object|structured|guided|grammar", re.I)
IN_WORDS = "Answer with one JSON object and nothing else. It has to fit this JSON schema:"


@dataclass(frozen=True)
class Dialect:
    """What a server takes.

    Attributes:
        limit: its name for the limit of tokens.
        formats: the answer formats left to try, best first.
        without: settings that its model refused.
    """

    limit: str
    formats: tuple[str, ...] = ("json_schema", "json_object", "text")
    without: frozenset[str] = frozenset()

    def after(self, fault: http_errors.HttpFault, optional: set[str]) -> Dialect | None:
        """The dialect to try after a refusal; None where the refusal has another cause.

        Args:
            fault: what the server said.
            optional: settings that this attempt can do without.
        """
        if fault.status not in (400, 422, 501):
            return None
        if SCHEMA_BLAMED.search(f"{fault.said} {fault.param}") and len(self.formats) > 1:
            return replace(self, formats=self.formats[1:])
        if not fault.codes & http_errors.UNSUPPORTED:
            return None
        if fault.param == self.limit == "max_tokens":
            return replace(self, limit="max_completion_tokens")
        if fault.param in optional:
            return replace(self, without=self.without | {fault.param})
        return None


class OpenAi(Provider):
    """A model of an OpenAI-compatible server; see `Provider`.

    Args:
        model: the model's name.
        base_url: the server, up to and with its /v1; None is OpenAI itself. The environment's
            OPENAI_BASE_URL is passed over: what a request is keyed by is where it goes.
        key: the key, or the file or variable that holds it; by default, at OpenAI's own address,
            that of OPENAI_API_KEY.
        max_tokens: the answer's limit, reasoning included.
        temperature: left to the server unless given; reasoning models refuse it.
        top_p: as above.
        seed: of sample 0.
        reasoning_effort: of reasoning models.
        timeout: seconds for a request and its answer, connecting included.
        allow_http: whether the key may go to another machine over http.
    """

    kind = "openai"
    client = "OpenAI"
    variable = "OPENAI_API_KEY"
    key_header = ("authorization", "Bearer {}")
    own_headers = ("OpenAI-Organization", "OpenAI-Project")

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        key: str | Path | KeyVariable | None = None,
        *,
        max_tokens: int = 1024,
        temperature: float | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        reasoning_effort: str | None = None,
        timeout: float = 300.0,
        allow_http: bool = False,
    ) -> None:
        values = (max_tokens, temperature, top_p, seed, reasoning_effort)
        asked = zip(SAMPLING, values, strict=True)
        sampling = {name: value for name, value in asked if value is not None}
        super().__init__(model, OPENAI_URL, base_url, key, sampling, timeout, allow_http)
        self._completed = False  # whether an answer came: its address is right
        self._dialect = (
            Dialect("max_tokens")
            if self.base_url
            else Dialect("max_completion_tokens", formats=("json_schema",))
        )

    def request(self, system: str, prompt: str, template: str, sample: int = 0) -> Request:
        """The request that asks this model, the schema in words where a server may not show it."""
        if self.base_url:
            schema = json.dumps(answer_schema(), indent=1)
            system = f"{system}\n\n{IN_WORDS}\n{schema}".lstrip()
        return super().request(system, prompt, template, sample)

    def count(self, request: Request) -> int | None:
        """How many tokens it would send, where the server counts them (OpenAI, llama.cpp)."""
        import openai

        schema = {"type": "json_schema", "name": "answer", "schema": dict(request.schema)}
        try:
            counted = self._sdk().responses.input_tokens.count(
                model=request.model,
                instructions=request.system or openai.omit,
                input=request.prompt,
                text={"format": {**schema, "strict": True}},
            )
        except (openai.OpenAIError, ValueError):  # no JSON, half a character
            return None
        return http_errors.whole_number(getattr(counted, "input_tokens", None))

    def _ask(self, request: Request, changes: dict[str, Any]) -> Reply:
        optional = set(changes) - {"max_tokens"} - set(request.sampling)
        while True:
            dialect = self._dialect
            body = _body(request, changes, dialect)
            came = self._put(self._sdk().chat.completions, body)
            if isinstance(came, Failed | MaybePaid):
                return Reply(came)
            if not isinstance(came, http_errors.HttpFault):
                reply = read_completion(came, self._key, body[dialect.limit], request)
                self._completed |= not isinstance(reply.outcome, Failed | MaybePaid)
                return self._placed(reply)
            if came.generated is not None:
                return Reply(Malformed(came.said or "its generation failed"), came.generated)
            if (learned := dialect.after(came, optional)) is None:
                return self._placed(Reply(http_errors.outcome_of(came, OPENAI_SCHEMA_NAMES)))
            self._dialect = learned

    def _placed(self, reply: Reply) -> Reply:
        """A reply that says where the server may be, if what answered seems to be another place."""
        failed = reply.outcome
        if not isinstance(failed, Failed) or failed.status not in (200, 404, 405):
            return reply
        passing = self._completed or failed.after is not None
        if passing or VERSIONED.search(urlsplit(self._url).path):
            return reply
        problem = f"{failed.problem} (is {self._url}/v1 its address?)"
        return replace(reply, outcome=Failed(problem, status=failed.status, fatal=True))


def _body(request: Request, changes: dict[str, Any], dialect: Dialect) -> dict[str, Any]:
    """The request in the server's dialect."""
    settings = {**request.sampling, **{name: changes[name] for name in SAMPLING if name in changes}}
    settings = {name: settings[name] for name in settings if name not in dialect.without}
    settings[dialect.limit] = settings.pop("max_tokens")
    schema = {"name": "answer", "strict": True, "schema": dict(request.schema)}
    formats: dict[str, dict[str, Any]] = {
        "json_schema": {"response_format": {"type": "json_schema", "json_schema": schema}},
        "json_object": {"response_format": {"type": "json_object"}},
        "text": {},
    }
    messages = [{"role": "system", "content": request.system}] if request.system else []
    messages.append({"role": "user", "content": request.prompt})
    return {
        "model": request.model,
        "messages": messages,
        "stream": False,  # some stream unless they are told not to
        **formats[dialect.formats[0]],
        **settings,
    }


def open_llm_named(named: NamedLlm) -> OpenAi:
    """The model that `openai:MODEL` or `openai:MODEL@BASE_URL` names."""
    model, url = name_and_address(require_model(named))
    elsewhere = os.environ.get("OPENAI_BASE_URL", "").strip()
    if elsewhere and not url:
        try:
            elsewhere = plain_address(elsewhere)
        except AddressInvalid as error:
            elsewhere = error.shown
        if elsewhere != OPENAI_URL:
            raise BaseUrlIgnored(named.llm, elsewhere)
    sent = {"key": named.key.key, "allow_http": named.key.allow_http}
    return OpenAi(model, base_url=url or None, **sent, **named.options)
